"""Mails in Chromium: hostile ones are harmless, new ones appear, and everything works with the keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal

import pytest

from tests.paths import EML
from tests.server.web.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The URL of another server, and the paths that were requested from it."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "image/svg+xml")
            self.end_headers()
            self.wfile.write(b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()
    thread.join()


def subjects(stage: Stage, folder: str = "Inbox") -> list[str]:
    """The subjects of the mails in a folder, past the faults of the stage."""
    path = f"/connections/{stage.alice.id}/messages"
    return [mail["subject"] for mail in stage.sandbox.api.get(path, params={"folder": folder}).json()["value"]]


HOSTILE = """
<html><head><meta http-equiv="refresh" content="0; url={elsewhere}/refresh"><base href="{elsewhere}/base/">
<link rel="stylesheet" href="{elsewhere}/style.css"><link rel="preconnect" href="{elsewhere}">
<link rel="prefetch" href="{elsewhere}/prefetch">
<style>@import url({elsewhere}/import.css);
@font-face {{ font-family: x; src: url({elsewhere}/font); }} body {{ font-family: x; background: url({elsewhere}/css) }}
#cover {{ position: fixed; inset: 0; z-index: 2147483647; background: red; width: 9999px; height: 9999px; }}</style>
</head><body onload="top.document.title='run'"><div id="cover">covered</div>
<script>top.document.title = 'run'; location = '{elsewhere}/script'</script>
<img src="{elsewhere}/image" onerror="top.document.title='run'"><img src="relative">
<svg onload="top.document.title='run'"><image href="{elsewhere}/svg"/></svg>
<video poster="{elsewhere}/poster" src="{elsewhere}/video" autoplay></video><audio src="{elsewhere}/audio"></audio>
<iframe src="{elsewhere}/frame"></iframe><object data="{elsewhere}/object"></object><embed src="{elsewhere}/embed">
<form action="{elsewhere}/form"><input name="a"><button id="send">Send</button></form>
<a id="script" href="javascript:top.document.title='run'">x</a>
<a id="top" target="_top" href="{elsewhere}/top">y</a></body></html>
"""


def open_hostile(stage: Stage, browser: Browser, html: str) -> Page:
    """The page of a hostile mail. Not in a tab of the fixture, since refusals of the policy are logged as errors."""
    id = stage.alice.deliver(subject="Hostile", html=html)["Id"]
    page = browser.new_context(base_url=stage.sandbox.server.url).new_page()
    page.goto(stage.base(f"m/{stage.alice.id}/mail/message/{id}"), wait_until="networkidle")
    return page


def test_hostile_mail(stage: Stage, browser: Browser, elsewhere: tuple[str, list[str]]) -> None:
    """Nothing of a mail runs, nothing is loaded, no form is sent, and the page around it stays usable."""
    url, paths = elsewhere
    page = open_hostile(stage, browser, HOSTILE.format(elsewhere=url))
    before, title = page.url, page.title()
    frame = page.frame_locator("iframe.mail")
    frame.locator("#cover").wait_for()
    # Clicked by a script of the debugger: the cover lies over all of it.
    for selector in ("#send", "#script"):
        frame.locator(selector).dispatch_event("click")
    page.wait_for_load_state("networkidle")

    assert [] == paths
    assert (before, title) == (page.url, page.title())
    # The cover ends with the frame: what is beside it can be clicked.
    page.get_by_role("button", name="Flag").click()
    page.get_by_role("button", name="Remove flag").wait_for()
    page.context.close()


def test_hostile_mail_alone(stage: Stage, browser: Browser, elsewhere: tuple[str, list[str]]) -> None:
    """The document of a mail is as harmless where its address is opened directly."""
    url, paths = elsewhere
    page = open_hostile(stage, browser, HOSTILE.format(elsewhere=url))
    page.goto(f"{page.url}/html", wait_until="networkidle")

    assert [] == paths
    assert page.url.endswith("/html")
    assert "run" != page.title()
    page.context.close()


def test_images_on_request(stage: Stage, browser: Browser, elsewhere: tuple[str, list[str]]) -> None:
    """Images of other servers are loaded when the user asks for them, and nothing else is."""
    url, paths = elsewhere
    html = f"<img src='{url}/image'><link rel=stylesheet href='{url}/style'><iframe src='{url}/frame'></iframe>"
    page = open_hostile(stage, browser, html)
    assert [] == paths
    page.get_by_role("link", name="Load them").click()
    page.get_by_role("link", name="Do not load them").wait_for()
    page.wait_for_load_state("networkidle")

    assert {"/image"} == set(paths)
    page.context.close()


def test_links_open_another_tab(stage: Stage, page: Page, elsewhere: tuple[str, list[str]]) -> None:
    """A link in a mail opens another tab, which knows nothing of the emulator."""
    url, _ = elsewhere
    id = stage.alice.deliver(html=f"<a href='{url}/link'>out</a>")["Id"]
    page.goto(stage.base(f"m/{stage.alice.id}/mail/message/{id}"))
    with page.expect_popup() as popup:
        page.frame_locator("iframe.mail").get_by_role("link", name="out").click()

    assert f"{url}/link" == popup.value.url
    assert popup.value.evaluate("opener === null && document.referrer === ''")


def test_own_images_are_shown(stage: Stage, page: Page) -> None:
    """An image that came with the mail is shown."""
    id = stage.alice.deliver(EML / "inline-image.eml")["Id"]
    page.goto(stage.base(f"m/{stage.alice.id}/mail/message/{id}"), wait_until="networkidle")
    image = page.frame_locator("iframe.mail").locator("img").first

    assert image.evaluate("image => image.complete && image.naturalWidth > 0")


def test_mails_appear(stage: Stage, page: Page) -> None:
    """A mail appears in the list and in the count of its folder, and a half-typed search stays."""
    page.goto(stage.base(f"m/{stage.alice.id}/mail"))
    search = page.get_by_role("searchbox", name="Search")
    search.press_sequentially("half")
    stage.alice.deliver(subject="Just arrived")
    page.get_by_role("link", name="Just arrived").wait_for()
    page.get_by_role("link", name="Inbox 2 unread").wait_for()
    search.press_sequentially("-typed")

    assert "half-typed" == search.input_value()


def test_open_message_follows(stage: Stage, page: Page) -> None:
    """An open message shows that the connector has read it, and its frame is not loaded again."""
    page.goto(stage.base(f"m/{stage.alice.id}/mail/message/{stage.values['message']}"), wait_until="networkidle")
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if request.url.endswith("/html") else None)
    # The fault of the stage would refuse the call.
    stage.sandbox.api.delete("/faults").raise_for_status()
    stage.alice.post(f"/Mail/MarkAsRead/{stage.values['message']}")
    page.get_by_role("button", name="Mark as unread").wait_for()

    assert [] == loads


def test_keyboard_only(stage: Stage, page: Page) -> None:
    """A mail is searched, opened, answered for and left without a mouse."""
    stage.alice.deliver(subject="Second invoice", sender="billing@supplier.example")
    stage.alice.deliver(subject="Lunch")
    page.goto(stage.base(f"m/{stage.alice.id}/mail"))
    page.keyboard.press("/")
    page.keyboard.type("from:billing")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Lunch").wait_for(state="detached")
    # The list can be seen before its script listens to keys.
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Invoice 4711").wait_for()
    page.get_by_role("button", name="Flag").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove flag").wait_for()
    page.locator("#move-menu > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Archive")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("main a", has_text="Archive").first.wait_for()

    assert ["Invoice 4711"] == subjects(stage, "Archive")


def test_dropped_files(stage: Stage, page: Page) -> None:
    """A file that is dropped onto the list is delivered."""
    page.goto(stage.base(f"m/{stage.alice.id}/mail"))
    page.evaluate(
        """(text) => {
            const data = new DataTransfer();
            data.items.add(new File([text], "dropped.eml", { type: "message/rfc822" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        "From: carol@example.org\r\nSubject: Dropped\r\n\r\nHello",
    )
    page.get_by_role("heading", name="Dropped").wait_for()

    assert "Dropped" in subjects(stage)


def test_answer_an_approval(stage: Stage, page: Page) -> None:
    """A button answers, and the list shows the answer."""
    page.goto(stage.base("approvals"))
    page.get_by_role("button", name="Refuse").click()
    page.get_by_text("by boss@outside.example").wait_for()

    assert "Refuse" == stage.sandbox.api.get("/questions").json()["value"][0]["answer"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow(stage: Stage, tab: Callable[..., Page], scheme: Literal["light", "dark"]) -> None:
    """At phone width, each mail of the list is wholly visible, and opens."""
    page = tab(viewport={"width": 375, "height": 800}, color_scheme=scheme)
    page.goto(stage.base(f"m/{stage.alice.id}/mail"))
    link = page.get_by_role("link", name="Invoice 4711")
    for cell in page.locator("tbody tr td").all():
        box = cell.bounding_box()
        assert box is not None
        assert 0 <= box["x"]
        assert 375 >= box["x"] + box["width"]
    link.click()
    page.get_by_role("heading", name="Invoice 4711").wait_for()
