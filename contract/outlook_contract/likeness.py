"""Compares a response with a recorded one: status, headers and content, but not ids and times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from outlook_contract.exchange import Exchange
from outlook_contract.redaction import escaped, unescaped, without_ids
from outlook_contract.shapes import Problem
from outlook_contract.words import has_placeholder, is_placeholder, same

_ID_MEMBERS = re.compile(r"(?:.*[a-z])?I[dD]|id|.*ChangeKey|.*etag|iCalUId|Changekey")
_TITLES = ("Subject", "DisplayName", "Name", "name", "GivenName", "FileName")
"""Members by which two recordings of an item are known to be of the same item."""
_INFRASTRUCTURE = re.compile(
    r"(?i)date|server|via|cache-control|connection|keep-alive|transfer-encoding|content-length|content-encoding|set-cookie|vary|age"
    r"|strict-transport-security|alt-svc|timing-allow-origin|access-control-.*|x-content-type-options|x-frame-options"
    r"|p3p|x-azure-ref.*|x-cache.*|x-powered-by|x-aspnet-version|expires|pragma|last-modified|etag|nel|report-to"
)
"""Headers that say nothing about the connector: of hosts, caches and browsers."""
_EXACT = frozenset({"content-type", "retry-after", "content-disposition"})
"""Headers whose values mean something; of others, only the presence counts."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d)(?::\d\d)?(?:\.\d+)?)?")
_WORDED_TIME = re.compile(
    r"(?:\w{3,9}, )?(?:\d{1,2} \w{3,9}|\w{3,9} \d{1,2},) \d{4}(?:,? \d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?)?"
)
_TOKEN = re.compile(r"[A-Za-z0-9+/_@.-]{6,}=*")
"""What may be an id, an address or a name with one of them."""
_POSTMASTER = re.compile(r"MicrosoftExchange[0-9a-f]{32}@[\w.-]+", re.IGNORECASE)
_TAGGED = re.compile(r"([^+@]+)(\+[^@]*)(@.+)")
_URL = re.compile(r"https?://[^\s\"'<>\\]+")
_ORIGIN = re.compile(r"https?://[^/\s\"'<>]+")
_SURE_PREVIEW = 150
"""Characters of a preview that has been cut, addresses and times aside."""
_SHORTEST_ID = 6
"""Shorter values would also match by chance."""


class Ids:
    """The ids, addresses and links of a recording, and what stands for them at the target.

    `marker` is a text that was added to titles, and `sent_times` are the times in the recorded requests: an answer that
    repeats them must repeat them exactly.
    """

    def __init__(self, marker: str = "") -> None:
        self._known: dict[str, str] = {}
        self._marker = marker
        self._titles: re.Pattern[str] | None = None
        self._marked: dict[str, str] = {}
        self.sent_times: set[str] = set()

    def learn(self, recorded: str, seen: str) -> None:
        """Remember what stands for a recorded value at the target."""
        is_id = len(recorded) >= _SHORTEST_ID and not is_placeholder(recorded)
        if is_id and self._known.get(recorded, recorded) != seen:
            self._known[recorded] = seen

    def get(self, recorded: str) -> str | None:
        """What stands for a recorded id, None if no answer had it."""
        return self._known.get(recorded)

    def stands_for_another(self, seen: str) -> bool:
        """Whether a value at the target already stands for a recorded one."""
        return seen in self._known.values()

    def learn_links(self, recorded: str, seen: str) -> None:
        """Remember the parts in which two links, or the links in two texts, differ."""
        ours, theirs = _URL.findall(recorded), _URL.findall(seen)
        if len(ours) != len(theirs):
            return
        for link, other in zip(ours, theirs, strict=True):
            for value, counterpart in zip(_parts(link), _parts(other), strict=False):
                if value != counterpart:
                    self.learn(value, counterpart)

    def mark(self, title: str) -> str:
        """A title with the marker, which it also has in later paths and queries."""
        if title not in self._marked:
            self._marked[title] = f"{title} {self._marker}"
            longest_first = sorted(self._marked, key=len, reverse=True)
            self._titles = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, longest_first))})(?![^\W_])")
        return self._marked[title]

    def text(self, text: str) -> str:
        """A recorded text with what stands for its ids."""
        return self._counterpart(text) or _TOKEN.sub(self._token, text)

    def path(self, path: str) -> str:
        """A recorded path or query, escaped, with what stands for its ids."""
        return re.sub(r"[^/?&=]+(?:=+(?=[/?&]|$))?", lambda match: self._part(match[0]), path)

    def json(self, value: Any) -> Any:
        """A recorded JSON value with what stands for its ids."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, Mapping):
            return {name: self.json(item) for name, item in value.items()}
        return value

    def comparable(self, text: str) -> str:
        """A text without the marker, and without ids, hosts and the times that differ from run to run."""
        plain = text.replace(f" {self._marker}", "") if self._marker else text
        plain = without_ids(_ORIGIN.sub("https://<host>", _POSTMASTER.sub("<postmaster>", plain)))
        plain = _TIME.sub(lambda match: match[1] + "T" + (match[2] or "") if self._is_sent(match) else "<time>", plain)
        return _WORDED_TIME.sub("<time>", plain)

    def _is_sent(self, match: re.Match[str]) -> bool:
        return f"{match[1]}T{match[2] or ''}" in self.sent_times

    def add_times(self, text: str) -> None:
        """Remember the times in a recorded request."""
        self.sent_times |= {f"{match[1]}T{match[2] or ''}" for match in _TIME.finditer(text)}

    def _token(self, match: re.Match[str]) -> str:
        token = match[0]
        if counterpart := self._counterpart(token):
            return counterpart
        plain = token.rstrip(".")
        # A slash is a letter of some ids, and separates others.
        parts = "/".join(self._counterpart(part) or part for part in plain.split("/"))
        return parts + token[len(plain) :]

    def _counterpart(self, recorded: str) -> str | None:
        """What stands for a recorded value; an address may have a tag after a plus sign, which stays."""
        known = self._known.get(recorded)
        if known is None and (match := _TAGGED.fullmatch(recorded)) and (plain := self._known.get(match[1] + match[3])):
            return plain.replace("@", f"{match[2]}@")
        return known

    def _part(self, part: str) -> str:
        plain, levels = unescaped(part)
        replaced = self.text(plain)
        if self._titles is not None:
            # A plus sign stands for a space in a query.
            spaced = replaced.replace("+", " ")
            marked = self._titles.sub(lambda match: self._marked[match[0]], spaced)
            replaced = replaced if marked == spaced else marked
        if replaced == plain:
            return part
        return escaped(replaced, levels) if levels else quote(replaced, safe="=:@$'(), ")


def problems(recorded: Exchange, seen: Exchange, ids: Ids, *, whole_lists: bool) -> Iterator[Problem]:
    """How a response differs from the recorded one; learns the ids of the target on the way.

    Unless `whole_lists`, the target may list further items, since a real mailbox has some.
    """
    if recorded.status != seen.status:
        yield Problem("status", str(recorded.status), f"{seen.status} {seen.body[:120].decode('utf-8', 'replace')}")
        return
    yield from _header_problems(recorded.headers, seen.headers, ids)
    ours, theirs = _content(recorded), _content(seen)
    bodies = _Bodies(ids, whole_lists, is_sorted="orderby" in recorded.url.lower())
    yield from bodies.problems("", ours, theirs)


def _content(exchange: Exchange) -> Any:
    """The body as JSON, text or bytes."""
    try:
        text = exchange.body.decode("utf-8")
    except UnicodeDecodeError:
        return exchange.body
    try:
        return json.loads(text)
    except ValueError:
        return text


def _header_problems(recorded: httpx.Headers, seen: httpx.Headers, ids: Ids) -> Iterator[Problem]:
    names = {name.lower() for name in (*recorded, *seen) if not _INFRASTRUCTURE.fullmatch(name)}
    for name in sorted(names):
        ours, theirs = recorded.get(name), seen.get(name)
        if ours is None or theirs is None:
            yield Problem(
                name, "no header" if ours is None else ours[:200], "no header" if theirs is None else theirs[:200]
            )
        elif name == "location":
            ids.learn_links(ours, theirs)
            ours, theirs = ids.comparable(ids.text(ours)), ids.comparable(theirs)
            if _names_of(ours) != _names_of(theirs):
                yield Problem(name, ours, theirs)
        elif name in _EXACT and not same(ours.replace(" ", "").lower(), theirs.replace(" ", "").lower()):
            yield Problem(name, ours, theirs)


def _names_of(link: str) -> tuple[int, list[str]]:
    """What two links to the same kind of thing have in common: their depth, and the names in their query."""
    url = urlsplit(link)
    return url.path.count("/"), [name for name, _ in parse_qsl(url.query, keep_blank_values=True)]


def _parts(link: str) -> list[str]:
    """The segments and the values in the query of a link, without escapes."""
    url = urlsplit(link.replace("&amp;", "&"))
    values = [pair.partition("=")[2] for pair in url.query.split("&")]
    return [unescaped(part)[0] for part in (*url.path.split("/"), *values)]


class _Bodies:
    def __init__(self, ids: Ids, whole_lists: bool, is_sorted: bool) -> None:
        self._ids = ids
        self._whole_lists = whole_lists
        self._is_sorted = is_sorted

    def problems(self, path: str, recorded: Any, seen: Any, name: str = "") -> Iterator[Problem]:
        if _type(recorded) != _type(seen):
            yield Problem(path or "body", _shown(recorded), _shown(seen))
        elif isinstance(recorded, Mapping):
            yield from self._members(path, recorded, seen)
        elif isinstance(recorded, list):
            yield from self._items(path, recorded, seen)
        elif isinstance(recorded, str):
            yield from self._texts(path, recorded, seen, name)
        elif recorded != seen:
            yield Problem(path or "body", _shown(recorded), _shown(seen))

    def _members(self, path: str, recorded: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Problem]:
        for name in dict.fromkeys((*recorded, *seen)):
            # A name may be an id or a table.
            counterpart = name if name in seen else self._ids.text(name)
            below = f"{path}.{name}" if path else name
            if counterpart not in seen:
                yield Problem(below, _shown(recorded[name]), "(missing)")
            elif name not in recorded:
                yield Problem(below, "(missing)", _shown(seen[name]))
            elif name == "Name" and recorded.get("Address") and bool(recorded[name]) == bool(seen[name]):
                # The name beside an address is what the target calls that person, and recordings hold none.
                continue
            else:
                yield from self.problems(below, recorded[name], seen[counterpart], name)

    def _texts(self, path: str, recorded: str, seen: str, name: str) -> Iterator[Problem]:
        if _ID_MEMBERS.fullmatch(name):
            if bool(recorded) != bool(seen):
                yield Problem(path, _shown(recorded), _shown(seen))
            elif recorded != seen:
                self._ids.learn(recorded, seen)
            return
        self._ids.learn_links(recorded, seen)
        ours, theirs = self._ids.comparable(self._ids.text(recorded)), self._ids.comparable(seen)
        if name == "BodyPreview":
            # It is cut after so many characters, also within a word, and addresses differ in length.
            length = min(len(ours), len(theirs))
            if length > _SURE_PREVIEW:
                ours, theirs = (text[:length].rpartition(" ")[0] for text in (ours, theirs))
        if not same(ours, theirs):
            yield Problem(path or "body", ours[:300], theirs[:300])
        elif recorded != seen and without_ids(recorded) == "<id>":
            # Some members with other names hold ids too, such as the name of a calendar's table.
            self._ids.learn(recorded, seen)

    def _items(self, path: str, recorded: Sequence[Any], seen: Sequence[Any]) -> Iterator[Problem]:
        below = f"{path}[]"
        rest = list(seen)
        pairs = []
        for item in recorded:
            place = self._place(item, rest)
            if place is None:
                yield Problem(below, _shown(item), "(missing)")
            else:
                pairs.append((item, rest.pop(place)))
        for item, counterpart in pairs:
            yield from self.problems(below, item, counterpart)
        if self._whole_lists:
            for item in rest:
                yield Problem(below, "(missing)", _shown(item))
        places = [seen.index(counterpart) for _, counterpart in pairs]
        # Placeholders of words have another order than the words.
        has_order = not (self._is_sorted and any(has_placeholder(_title(item)) for item in recorded))
        if has_order and places != sorted(places):
            yield Problem(below, "the recorded order", ", ".join(_shown(_title(item))[:60] for item in seen))

    def _place(self, item: Any, candidates: Sequence[Any]) -> int | None:
        """The place of the candidate that a recorded item corresponds to."""
        if not isinstance(item, Mapping):
            return 0 if candidates else None
        known = self._ids.get(str(_id(item)))
        for place, candidate in enumerate(candidates):
            if known is not None and isinstance(candidate, Mapping) and _id(candidate) == known:
                return place
        title = self._comparable_title(item)
        for place, candidate in enumerate(candidates):
            is_free = isinstance(candidate, Mapping) and not self._ids.stands_for_another(str(_id(candidate)))
            # An item whose id is new may also be a new version of one that is known, such as a moved mail.
            if is_free and same(title, self._comparable_title(candidate)):
                return place
        return None

    def _comparable_title(self, item: Mapping[str, Any]) -> str:
        return self._ids.comparable(self._ids.text(_title(item)))


def _id(item: Mapping[str, Any]) -> Any:
    return item.get("Id", item.get("id"))


def _title(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    return next((str(item[name]) for name in _TITLES if item.get(name)), "")


def _type(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(type(value))
    return "number" if isinstance(value, int | float) else str(type(value))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes {value[:16].hex()}"
    return json.dumps(value, ensure_ascii=False)[:200]
