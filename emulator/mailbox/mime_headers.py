"""Mail headers in both directions: encoded words, address lists, parameters, dates, folded lines.

Reading never fails: it gives what can be made out. It is done here rather than by the email package's header registry
because that one raises on some broken headers and takes quadratic time on others. Writing lets no line end through,
so a value cannot grow into a header of its own.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp
from codecs import lookup
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from emulator.clock import microseconds
from emulator.mailbox.message import Address

_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_ADDRESS_TOKEN = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)(?P<close>")?'
    r"|<(?P<angle>[^<>]*)>?"
    r"|\((?P<comment>(?:[^()\\]|\\.|\([^()]*\))*)\)?"
    r"|(?P<end>[,;:])"
    r"|(?P<blank>\s+)"
    r"|(?P<text>=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=|[^\s\",;:<(]+|.)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    r";\s*(?P<name>[^\s=;*]+)(?:\*(?P<number>\d{1,6}))?(?P<encoded>\*)?\s*="
    r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<plain>[^;]*))',
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/?^_`{|}~-]+)*")
_PLAIN_ADDRESS = re.compile(r"[^\s\"(),:;<>@\\\[\]]+@[^\s\"(),:;<>@\\]+")
_CHARSET = re.compile(r"[A-Za-z0-9._:-]{1,40}")

# RFC 5322 asks for lines of 78 and forbids more than 998.
_LINE = 76
_LONGEST_WORD = 900
_WORD_BYTES = 42

# What senders mean by these names: the WHATWG Encoding Standard's supersets, which browsers and mailers use.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
_NO_CHARSETS = frozenset({"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"})


def decode_text(data: bytes, charset: str | None) -> str:
    """The text behind `data`: in its charset if that is known and true, else as UTF-8, else as Latin-1."""
    codec = _codec(charset)
    for name in (codec, "utf-8", "cp1252"):
        try:
            return _without_surrogates(data.decode(name))
        except ValueError:
            text = data.decode(name, "replace")
            if _mostly_read(text):
                return _without_surrogates(text)
    return data.decode("latin-1")


def _codec(charset: str | None) -> str:
    if charset is None or not _CHARSET.fullmatch(charset):
        return "utf-8"
    try:
        found = lookup(charset)
    except (LookupError, ValueError):
        return "utf-8"
    if found.name in _NO_CHARSETS or not getattr(found, "_is_text_encoding", True):
        return "utf-8"
    return _SUPERSETS.get(found.name, found.name)


def _mostly_read(text: str) -> bool:
    # A cut or damaged text in an honest charset loses few of its characters; a lying charset loses most.
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text.count("\ufffd") * 10 <= beyond_ascii


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def decode_base64(data: bytes) -> bytes:
    """The bytes behind base64 text; what is not base64 in it is skipped and missing padding is added."""
    try:
        return a2b_base64(data)
    except BinasciiError:
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        whole = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
        return a2b_base64(whole + b"=" * (-len(whole) % 4))


def decode_words(value: str) -> str:
    """A header value with its RFC 2047 encoded words read, also those that split a character between two words."""
    if "=?" not in value:
        return value
    return "".join(decode_text(data, charset) for charset, data in _joined(_runs(value)))


def _runs(value: str) -> Iterator[tuple[str, bytes]]:
    end, after_word = 0, False
    for word in _ENCODED_WORD.finditer(value):
        between = value[end : word.start()]
        # Blanks between two encoded words are part of the folding, not of the text.
        if between and not (after_word and between.isspace()):
            yield "", between.encode("utf-8", "replace")
        charset, encoding, text = word.groups()
        yield charset.lower(), _word_bytes(encoding, text.encode("utf-8", "replace"))
        end, after_word = word.end(), True
    yield "", value[end:].encode("utf-8", "replace")


def _word_bytes(encoding: str, text: bytes) -> bytes:
    return decode_base64(text) if encoding in "bB" else a2b_qp(text, header=True)


def _joined(runs: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    current, pieces = "", list[bytes]()
    for charset, data in runs:
        if charset != current and pieces:
            yield current, b"".join(pieces)
            pieces = []
        current = charset
        pieces.append(data)
    yield current, b"".join(pieces)


def read_text(value: str) -> str:
    """An unstructured header, such as a subject, on one line."""
    return _CONTROLS.sub(" ", decode_words(value)).strip(" ")


def read_addresses(value: str) -> tuple[Address, ...]:
    """All addresses of an address header in order, those inside groups among them."""
    found, current = list[Address](), _OneAddress()
    for token in _address_tokens(value):
        if token["end"] == ":":
            current = _OneAddress()
        elif token["end"]:
            found.extend(current.address())
            current = _OneAddress()
        else:
            current.add(token)
    found.extend(current.address())
    return tuple(found)


def _address_tokens(value: str) -> list[re.Match[str]]:
    tokens = list(_ADDRESS_TOKEN.finditer(value))
    is_unclosed = any(token["quoted"] is not None and token["close"] is None for token in tokens)
    # A quote without its partner would swallow all addresses behind it.
    return list(_ADDRESS_TOKEN.finditer(value.replace('"', ""))) if is_unclosed else tokens


class _OneAddress:
    # Collects the tokens of one entry; only its end shows which of them were the name and which the address.

    def __init__(self) -> None:
        self.angle: str | None = None
        self.raw: list[str] = []
        self.phrase: list[str] = []
        self.comment = ""

    def add(self, token: re.Match[str]) -> None:
        if token["angle"] is not None:
            self.angle = token["angle"]
        elif token["comment"] is not None:
            self.comment = token["comment"]
        elif token["quoted"] is not None:
            self.raw.append(token[0])
            self.phrase.append(_QUOTED_PAIR.sub(r"\1", token["quoted"]))
        else:
            self.raw.append("" if token["blank"] else token[0])
            self.phrase.append(" " if token["blank"] else token[0])

    def address(self) -> Iterator[Address]:
        name = read_text("".join(self.phrase))
        if self.angle is not None:
            yield from _named(_CONTROLS.sub("", self.angle).strip(), name or read_text(self.comment))
        elif "@" in name:
            yield Address(_CONTROLS.sub("", "".join(self.raw)), read_text(self.comment))
        else:
            yield from _named("", name)


def _named(address: str, name: str) -> Iterator[Address]:
    if address.startswith("@") and ":" in address:  # a source route, obsolete since RFC 2822
        address = address.partition(":")[2]
    if address or name:
        yield Address(address, name)


def read_parameters(value: str) -> tuple[str, dict[str, str]]:
    """A structured header's own value in lower case, and its parameters, RFC 2231 continuations put together."""
    main, _, _ = value.partition(";")
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for match in _PARAMETER.finditer(value, len(main)):
        quoted = match["quoted"]
        text = match["plain"].strip() if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        number = int(match["number"] or 0)
        pieces.setdefault(match["name"].lower(), []).append((number, bool(match["encoded"]), text))
    return main.strip().lower(), {name: _parameter(found) for name, found in pieces.items()}


def _parameter(pieces: list[tuple[int, bool, str]]) -> str:
    if not any(encoded for _, encoded, _ in pieces):
        return read_text("".join(text for _, _, text in sorted(pieces)))
    charset, data = "utf-8", b""
    for number, encoded, text in sorted(pieces):
        if encoded and number == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    return _CONTROLS.sub(" ", decode_text(data, charset)).strip(" ")


def read_date(value: str) -> int | None:
    """A Date header in microseconds since 1970, None when it cannot be read."""
    try:
        return microseconds(parsedate_to_datetime(value[:200]))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def read_ids(value: str) -> tuple[str, ...]:
    """The Message-IDs of a header, angle brackets kept; words without brackets when there are none with."""
    return tuple(re.findall(r"<[^<>\s]+>", value)) or tuple(value.split())


def line(name: str, value: str) -> bytes:
    """One header, folded before blanks. Controls in `value`, line ends among them, become blanks."""
    length, pieces = len(name) + 1, [name, ":"]
    for word in re.findall(r" *[^ ]+", " " + _CONTROLS.sub(" ", value).strip(" ")):
        if length + len(word) > _LINE and length > len(name) + 1:
            pieces.append("\r\n")
            length = 0
        pieces.append(word)
        length += len(word)
    return "".join(pieces).encode("utf-8", "replace") + b"\r\n"


def written_text(value: str) -> str:
    """An unstructured value ready for `line`: in encoded words wherever ASCII as it stands would not do."""
    clean = _CONTROLS.sub(" ", value).strip(" ")
    plain = clean.isascii() and "=?" not in clean and max(map(len, clean.split(" "))) < _LONGEST_WORD
    return clean if plain else " ".join(_encoded_words(clean))


def _encoded_words(text: str) -> Iterator[str]:
    chunk = b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(chunk) + len(data) > _WORD_BYTES:
            yield _encoded_word(chunk)
            chunk = b""
        chunk += data
    yield _encoded_word(chunk)


def _encoded_word(chunk: bytes) -> str:
    return f"=?utf-8?B?{b64encode(chunk).decode()}?="


def written_addresses(addresses: Iterable[Address]) -> str:
    """An address header's value ready for `line`."""
    return ", ".join(_written_address(address) for address in addresses if any(address))


def _written_address(entry: Address) -> str:
    address = re.sub(r"[\x00-\x20\x7f<>]", "", entry.address)
    name = _CONTROLS.sub(" ", entry.name).strip(" ")
    if not name:
        return address if _PLAIN_ADDRESS.fullmatch(address) else f"<{address}>"
    words = written_text(name)
    if words == name and not _PLAIN_PHRASE.fullmatch(name):
        words = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{words} <{address}>"


def written_parameter(name: str, value: str) -> str:
    """A parameter with its leading `;`, in RFC 2231 continuations when it is long or not ASCII."""
    clean = _CONTROLS.sub(" ", value).strip(" ")
    if clean.isascii() and "=?" not in clean and len(clean) < _LINE - 20:
        return f'; {name}="' + re.sub(r'(["\\])', r"\\\1", clean) + '"'
    letters = re.findall(r"%..|[^%]", quote(clean, safe="", errors="replace"))
    chunks = ["".join(letters[start : start + 40]) for start in range(0, len(letters), 40)]
    chunks[0] = "utf-8''" + chunks[0]
    return "".join(f"; {name}*{number}*={chunk}" for number, chunk in enumerate(chunks))
