"""A visitor of pages without a browser: reads pages and sends their forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import httpx

from outlook_emulator.server.web.page import ROOT


@dataclass
class SentForm:
    """A form of a page: where it goes, and the fields that it holds."""

    action: str
    fields: dict[str, str]


class PageReader(HTMLParser):
    """Collects the forms and links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[SentForm] = []
        self.links: list[str] = []
        self.title = ""
        self._is_title = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._is_title = tag == "title"
        if tag == "form":
            self.forms.append(SentForm(values.get("action", ""), {}))
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "input" and self.forms and values.get("type") == "hidden":
            self.forms[-1].fields[values["name"]] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.title, self._is_title = data, False


class Visitor:
    """Opens the pages of a sandbox and sends their forms, as a browser without scripts does."""

    def __init__(self, http: httpx.Client, sandbox: str) -> None:
        self.http = http
        self.base = f"{ROOT}/s/{sandbox}/"

    def get(self, path: str = "", status: int = 200) -> str:
        """The HTML of a page below that of the sandbox, or at an absolute path."""
        response = self.http.get(self._url(path))
        assert response.status_code == status, response.text
        return response.text

    def text(self, path: str = "") -> str:
        """The text of the content of a page, in one line."""
        return text_of(self.get(path))

    def send(
        self, path: str, action: str, status: int = 303, files: Any = None, fields: Mapping[str, Any] = {}, **more: Any
    ) -> httpx.Response:
        """Send the first form of a page with this action, and these fields besides the hidden ones."""
        form = next(form for form in PageReader(self.get(path)).forms if form.fields.get("action") == action)
        response = self.http.post(form.action, data={**form.fields, **fields, **more}, files=files)
        assert response.status_code == status, text_of(response.text)
        return response

    def refusal(self, path: str, action: str, files: Any = None, **fields: Any) -> str:
        """The error that a page shows at a form that was refused."""
        form = next(form for form in PageReader(self.get(path)).forms if form.fields.get("action") == action)
        response = self.http.post(form.action, data=form.fields | fields, files=files)
        assert response.status_code >= 400, response.text
        problem = re.search(r'<p class="problem" role="alert">(.*?)</p>', response.text, re.DOTALL)
        assert problem is not None, text_of(response.text)
        return text_of(problem[1])

    def _url(self, path: str) -> str:
        return path if path.startswith("/") else self.base + path


def text_of(html: str) -> str:
    """The text of HTML in one line; of a whole page, that of its content."""
    from html import unescape

    main = html.partition("<main")[2].partition(">")[2].partition("</main>")[0] or html
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())
