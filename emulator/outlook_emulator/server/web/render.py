"""Renders the templates. It imports Jinja2, so it is imported for the first visitor only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.meta import find_referenced_templates
from markupsafe import Markup, escape

from outlook_emulator.clock import moment
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.server.web.pages import PAGES
from outlook_emulator.server.web.session import FORM_TOKEN
from outlook_emulator.server.web.static import url_of_file

_TEMPLATES = Path(__file__).with_name("templates")
_compiled: set[str] = set()
_CODE = re.compile("`([^`]+)`")


class NavEntry(NamedTuple):
    """A link of the navigation."""

    label: str
    url: str
    is_current: bool


def render(request: PageRequest, values: Mapping[str, Any], form_token: str, has_login: bool) -> str:
    """The HTML of a page."""
    page, http = request.page, request.http
    name = request.path.get("sandbox", "")
    sandbox = request.sandboxes.get(name)
    connections = list(sandbox.connections()) if sandbox is not None else []
    connection = request.path.get("connection", connections[0] if connections else "")
    query = http.url.query
    context = {
        "page": page,
        "title": page.title,
        "here": http.url.path + (f"?{query}" if query else ""),
        "query": request.query,
        "path": request.path,
        "url": request.url,
        "sandbox": sandbox,
        "sandbox_names": [other for other in request.sandboxes.names() if request.sandboxes.problem_of(other) is None],
        "connections": connections,
        "connection": connection,
        "home": next((page.path for page in PAGES if page.nav and page.group == "mailbox"), ""),
        "is_paused": "paused" in request.query,
        "form_token": form_token,
        "form_token_name": FORM_TOKEN,
        "failure": None,
        "has_login": has_login,
        "navigation": _navigation(request, connection) if sandbox is not None else {},
        **values,
    }
    return environment().get_template(page.template).render(context)


def _navigation(request: PageRequest, connection: str) -> dict[str, list[NavEntry]]:
    """The links to the pages of the sandbox, and to those of a mailbox if the sandbox has one."""
    groups: dict[str, list[NavEntry]] = {"sandbox": [], "mailbox": []}
    current = request.page.section or request.page.nav
    for page in PAGES:
        if page.nav and (page.group == "sandbox" or connection):
            url = request.url(page.path, connection=connection) if page.group == "mailbox" else request.url(page.path)
            groups[page.group].append(NavEntry(page.nav, url, page.nav == current))
    return groups


def is_prepared(page: Page) -> bool:
    """Whether the template of a page is compiled. To compile it takes many times as long as to render it."""
    return page.template in _compiled


def prepare(page: Page) -> None:
    """Compile the template of a page and all that it may include."""
    templates, compiled = [page.template], set[str]()
    while templates:
        if (name := templates.pop()) not in compiled:
            compiled.add(name)
            environment().get_template(name)
            templates += _included_by(name)
    _compiled.add(page.template)


def _included_by(name: str) -> Iterator[str]:
    """The templates that a template names, or may name where it puts the name together."""
    source = (_TEMPLATES / name).read_text(encoding="utf-8")
    for included in find_referenced_templates(environment().parse(source)):
        if included is not None:
            yield included
        else:
            family = name.removesuffix(".html")
            yield from (file.name for file in _TEMPLATES.glob(f"{family}_*.html"))


@cache
def environment() -> Environment:
    """The environment of all templates."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = url_of_file
    environment.filters |= {
        "when": when,
        "iso": iso,
        "json": as_json,
        "line": as_line,
        "marked": marked,
        "status_kind": status_kind,
        "number": number,
        "size": size,
    }
    return environment


def when(instant: int | str | datetime, zone: str = "UTC") -> str:
    """An instant for people: date and time in a zone, whose name is shown beside it."""
    return _local(instant, zone).strftime("%Y-%m-%d %H:%M:%S")


def iso(instant: int | str | datetime, zone: str = "UTC") -> str:
    """An instant for machines."""
    return _local(instant, zone).isoformat()


def _local(instant: int | str | datetime, zone: str) -> datetime:
    if isinstance(instant, int):
        instant = moment(instant)
    elif isinstance(instant, str):
        instant = datetime.fromisoformat(instant)
    return instant.astimezone(ZoneInfo(zone))


def as_json(value: Any) -> str:
    """A value as JSON text with indentation."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def as_line(value: Any) -> str:
    """A value as JSON text in one line."""
    return orjson.dumps(value).decode()


def marked(text: str) -> Markup:
    """A text with the words between backquotes as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def status_kind(status: int | None) -> str:
    """The kind of badge for a status: good, warn or bad."""
    if status is None:
        return "bad"
    return "good" if status < 400 else "warn" if status in (408, 429) else "bad"


def number(value: float) -> str:
    """A number with thin spaces between its thousands."""
    return f"{value:,}".replace(",", "\u2009")


def size(bytes: int) -> str:
    """A number of bytes in a unit of its order."""
    amount, units = float(bytes), iter(("bytes", "KiB", "MiB", "GiB"))
    unit = next(units)
    while amount >= 1024 and unit != "GiB":
        amount, unit = amount / 1024, next(units)
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
