"""Takes pictures of the pages for the documents: `python -m tools.screenshots`, or `make screenshots`.

With `--all FOLDER`, it takes every page there instead, in light and dark, wide and narrow, to be looked at.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import httpx

from outlook_emulator.clock import VirtualClock
from outlook_emulator.server.web.page import url_of
from outlook_emulator.server.web.pages import PAGES
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FOLDER = Path(__file__).parents[1] / "docs" / "images"
_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_WIDE, _NARROW = (1200, 800), (375, 800)
Scheme = Literal["light", "dark"]
_SCHEMES: tuple[Scheme, ...] = ("light", "dark")


class Picture(NamedTuple):
    """A picture for the documents."""

    name: str
    path: str
    scheme: Scheme = "light"
    size: tuple[int, int] = _WIDE


PICTURES = (
    Picture("overview", "/s/{sandbox}/"),
    Picture("mail", "/s/{sandbox}/m/{connection}/mail"),
    Picture("calendar-dark", "/s/{sandbox}/m/{connection}/calendar", "dark"),
    Picture("entry-dark", "/s/{sandbox}/journal/{entry}", "dark"),
    Picture("faults", "/s/{sandbox}/faults"),
    Picture("overview-phone", "/s/{sandbox}/", "light", _NARROW),
)


@contextmanager
def stage() -> Iterator[tuple[str, dict[str, str]]]:
    """A server with a story on its pages: its URL, and an example of each parameter of a path."""
    with running(Settings(seed="office,empty", max_calls=20), VirtualClock(_START)) as server:
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            values = _tell(http)
        yield server.url, values


def _tell(http: httpx.Client) -> dict[str, str]:
    api = "/_emulator/api/sandboxes/default"
    headers = {
        "Authorization": "Bearer anything",
        "x-ms-workflow-name": "pay-invoices",
        "x-ms-workflow-run-id": "08585",
        "User-Agent": "azure-logic-apps/1.0",
    }

    def call(method: str, path: str, body: Any = None) -> httpx.Response:
        return http.request(method, f"/apim/outlook/office{path}", json=body, headers=headers)

    faults = [
        {
            "name": "lost-answer",
            "match": {"operation": "SendEmailV2"},
            "effect": "timeout-504-after",
            "when": {"nth": 1},
        },
        {"name": "busy", "match": {"operation": "GetEmailsV2"}, "effect": "throttled", "when": {"times": 2}},
        {"name": "no-search", "effect": "search-unavailable", "optional": True},
    ]
    http.post(f"{api}/faults", json={"faults": faults}).raise_for_status()
    http.post(
        f"{api}/connections/office/deliver",
        json={"subject": "Invoice 4711", "from": "billing@supplier.example", "html": "<p>Please pay 118.40.</p>"},
    ).raise_for_status()
    mail = {"To": "quiet@example.com; eve@example.net", "Subject": "Invoice 4711", "Body": "<p>Please approve.</p>"}
    subscriber = {"NotificationUrl": "http://127.0.0.1:9/hook"}
    for method, path, body in (
        ("GET", "/v2/Mail", None),
        ("GET", "/v2/Mail", None),
        ("GET", "/v2/Mail", None),
        ("POST", "/v2/Mail", mail),
        ("POST", "/v2/Mail", mail),
        ("GET", "/v2/Mail?top=many", None),
        ("GET", "/v2/Mail/OnNewEmail", None),
        ("POST", "/MailSubscriptionPoke/$subscriptions", subscriber),
    ):
        call(method, path, body)
        http.post(f"{api}/clock", json={"advance": "7s"})
    http.put(f"{api}/snapshots/before-payment")
    entries = http.get(f"{api}/journal").json()["value"]
    entry = next(entry["id"] for entry in entries if entry["operation"] == "SendEmailV2")
    return {"sandbox": "default", "connection": "office", "entry": str(entry), "operation": "SendEmailV2"}


def take(
    browser: Browser, base: str, url: str, file: Path, scheme: Scheme, size: tuple[int, int], *, whole: bool
) -> None:
    """Take a picture of a page."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.goto(base + url)
    page.screenshot(path=file, full_page=whole)
    context.close()


def take_all(browser: Browser, base: str, values: Mapping[str, str], folder: Path, only: str) -> None:
    """Take every page in four forms."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        if not page.template or only not in page.path:
            continue
        name = page.path.strip("/").translate(str.maketrans("/", "-", "{}")) or "sandboxes"
        for scheme, size in product(_SCHEMES, (_WIDE, _NARROW)):
            file = folder / f"{name}-{scheme}-{size[0]}.png"
            take(browser, base, url_of(page.path, values, {}), file, scheme, size, whole=True)


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="take every page into this folder")
    parser.add_argument("--only", default="", metavar="TEXT", help="with --all: pages whose path has this text")
    arguments = parser.parse_args()
    with stage() as (base, values), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if arguments.all:
            take_all(browser, base, values, arguments.all, arguments.only)
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            for name, path, scheme, size in PICTURES:
                take(browser, base, url_of(path, values, {}), FOLDER / f"{name}.png", scheme, size, whole=False)
        browser.close()


if __name__ == "__main__":
    main()
