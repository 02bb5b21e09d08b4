"""Every page opens, is safe and can be reached."""

from __future__ import annotations

import re

import pytest

from outlook_emulator.server.web.page import ROOT, Page
from outlook_emulator.server.web.pages import PAGES
from tests.server.web.forms import PageReader, Visitor
from tests.server.web.stage import SHOWN, Stage


def name_of(page: Page) -> str:
    return page.path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_opens(stage: Stage, page: Page) -> None:
    """A page opens under the address in its row and has the headers that keep it safe."""
    response = stage.sandbox.server.http.get(stage.url(page))

    assert 200 == response.status_code
    assert "nosniff" == response.headers["x-content-type-options"]
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize("page", SHOWN, ids=name_of)
def test_page_is_whole(stage: Stage, page: Page) -> None:
    """A page has a title of its own and one heading, nothing inline, and no id twice."""
    html = stage.sandbox.server.http.get(stage.url(page)).text
    ids = re.findall(r'\sid="([^"]+)"', html)

    assert PageReader(html).title.strip()
    assert 1 == html.count("<h1")
    assert [] == re.findall(r"<script>|<style|\sstyle=|\son[a-z]+=", html)
    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("page", SHOWN, ids=name_of)
def test_links_lead_somewhere(stage: Stage, page: Page) -> None:
    """Every link of a page leads to something that exists."""
    http = stage.sandbox.server.http
    # Sandboxes of other tests may end at any time.
    links = {link for link in PageReader(http.get(stage.url(page)).text).links if stage.sandbox.name in link}

    assert {} == {link: status for link in links if (status := http.get(link).status_code) != 200}


@pytest.mark.parametrize("page", [page for page in SHOWN if page.actions], ids=name_of)
def test_forms_take_any_value(stage: Stage, page: Page) -> None:
    """Whatever the fields of a form hold, its page either does what it asks for or refuses it with a reason."""
    http, url = stage.sandbox.server.http, stage.url(page)
    token = PageReader(http.get(stage.base()).text).forms[0].fields["form_token"]
    names = re.findall(r'<(?:input|textarea|select)[^>]* name="([^"]+)"', http.get(url).text)

    answers = {
        (action, value): http.post(url, data={**dict.fromkeys(names, value), "action": action, "form_token": token})
        for action in page.actions
        for value in ("", "9" * 30, "ä", "a\0/b", "9999-12-31T23:59", "inf")
    }

    assert {} == {sent: answer.status_code for sent, answer in answers.items() if answer.status_code >= 500}


@pytest.mark.parametrize("page", [page for page in PAGES if page.nav], ids=name_of)
def test_navigation_needs_no_item(page: Page) -> None:
    """A page in the navigation needs no more than a sandbox and a mailbox."""
    assert {"sandbox", "connection"} >= set(re.findall(r"\{(\w+)", page.path))


def test_root_leads_to_the_pages(web: Visitor) -> None:
    """`GET /` leads to the list of sandboxes."""
    first = web.http.get("/")

    assert (307, f"{ROOT}/") == (first.status_code, first.headers["location"])
    assert "Sandboxes" in web.get(f"{ROOT}/")


def test_unknown_sandbox(web: Visitor) -> None:
    """The page of a sandbox that does not exist says so and leads to those that do."""
    html = web.get(f"{ROOT}/s/none-of-that-name/", 404)

    assert "No sandbox &#39;none-of-that-name&#39; exists." in html
    assert f'href="{ROOT}/"' in html


def test_unknown_action(web: Visitor) -> None:
    """A form that the page does not have is refused."""
    fields = PageReader(web.get()).forms[0].fields | {"action": "explode"}
    response = web.http.post(web.base, data=fields)

    assert 400 == response.status_code
    assert "This page has no form &#39;explode&#39;." in response.text


def test_paused_page_does_not_follow(web: Visitor) -> None:
    """A page follows its sandbox unless its address says that it is paused."""
    assert "data-live" in web.get()
    assert "data-live" not in web.get("?paused=1")


@pytest.mark.parametrize("path", ["nothing", "journal/", "operations/a/b"])
def test_unknown_page(web: Visitor, path: str) -> None:
    """An address below the pages that is none says so."""
    assert "There is no page &#39;" in web.get(path, 404)
