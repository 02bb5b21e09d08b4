"""Decodes text in the charsets of mail, calendars and address books.

Browsers and mail programs read charsets as the WHATWG Encoding Standard says. The labels come from `webencodings`. The
decoders are those of Python, with corrections where they differ from the standard: `tests/mailbox/formats/
test_charsets.py` compares every byte and every pair of bytes.
"""

from __future__ import annotations

import codecs
import re
from codecs import lookup
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from webencodings.labels import LABELS

# The standard has no decoder for these, since a browser runs what it shows. Mail in them is still read.
_UNSAFE_IN_BROWSERS = {
    "csiso2022kr": "iso2022_kr",
    "iso-2022-kr": "iso2022_kr",
    "hz-gb-2312": "hz",
}
# Codecs of Python that are no charsets of mail; what is declared as ASCII may be anything.
_NO_CHARSETS = frozenset({"ascii", "unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "charmap"})
# Senders write these names for any text, so it is looked at instead.
_UNDECLARED = frozenset(
    {"us-ascii", "usascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "unknown", "default", "binary"}
)
# Names that mail programs use beside the labels of the standard.
_MORE_LABELS = {
    "cp50220": "iso-2022-jp",
    "cp50221": "iso-2022-jp",
    "cp50222": "iso-2022-jp",
    "iso-2022-jp-ms": "iso-2022-jp",
    "iso-2022-jp-1": "iso-2022-jp",
    "iso-2022-jp-ext": "iso-2022-jp",
    "eucjp-ms": "euc-jp",
    "eucjp-win": "euc-jp",
    "cp51932": "euc-jp",
    "sjis-win": "shift_jis",
    "x-mac-japanese": "shift_jis",
    "x-mac-korean": "euc-kr",
    "x-mac-chinesesimp": "gbk",
    "x-mac-chinesetrad": "big5",
    "euc-cn": "gbk",
    "euccn": "gbk",
    "x-euc-cn": "gbk",
    "euc-tw": "big5",
    "uhc": "euc-kr",
    "big5-eten": "big5",
    "latin-9": "iso-8859-15",
    "latin9": "iso-8859-15",
    "utf8mb4": "utf-8",
    "x-unicode-2-0-utf-7": "utf-7",
    "x-unicode-2-0-utf-8": "utf-8",
    "csunicode11utf7": "utf-7",
    "x-mac-ce": "mac_latin2",
    "x-mac-centraleurroman": "mac_latin2",
    "x-mac-icelandic": "mac_iceland",
    "iso-8859-1-windows-3.1-latin-1": "windows-1252",
    "iso-8859-2-windows-latin-2": "windows-1250",
    "iso-8859-9-windows-latin-5": "windows-1254",
}
# What Windows calls its code pages, where the number alone does not say it.
_CODE_PAGES = {
    "932": "shift_jis",
    "936": "gbk",
    "949": "euc-kr",
    "950": "big5",
    "1200": "utf-16le",
    "1201": "utf-16be",
    "1361": "johab",
    "10000": "macintosh",
    "10001": "shift_jis",
    "10002": "big5",
    "10003": "euc-kr",
    "10006": "mac_greek",
    "10007": "x-mac-cyrillic",
    "10008": "gbk",
    "10010": "mac_romanian",
    "10029": "mac_latin2",
    "10079": "mac_iceland",
    "10081": "mac_turkish",
    "10082": "mac_croatian",
    "12000": "utf_32_le",
    "12001": "utf_32_be",
    "20127": "us-ascii",
    "20866": "koi8-r",
    "20932": "euc-jp",
    "20936": "gbk",
    "20949": "euc-kr",
    "21866": "koi8-u",
    "38598": "iso-8859-8-i",
    "50220": "iso-2022-jp",
    "50221": "iso-2022-jp",
    "50222": "iso-2022-jp",
    "50225": "iso2022_kr",
    "51932": "euc-jp",
    "51936": "gbk",
    "51949": "euc-kr",
    "51950": "big5",
    "52936": "hz",
    "54936": "gb18030",
    "65000": "utf-7",
    "65001": "utf-8",
    **{str(28590 + part): f"iso-8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)},
}
_CODE_PAGE = re.compile(r"(?:(?:x-)?(?:windows|win|cp|ms|codepage|ibm)[-_ ]?)?0*(\d{3,5})")
_SIGNS = re.compile(r"[^a-z0-9]+")

# The row of Big5 characters that Python lacks: control pictures of the ETEN system, and compatibility forms.
_BIG5_MORE = (
    "877a㡵𡵓𣚞𦀡㻬 87a1𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏"
    "䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋 8e69箸 8e6f簆 8e7e糎 8eab緒 8eb4縝 8ecd者 8ed0耨 8f57菁 8f69蒨 8f6e萏"
    " 8fcb覦覩 8ffe起 906d都 907a銹 90dc靜 90f1響 91bf鼖 9244蔃 92af兙兛兝兞 92c8鍮 92d1瑹 9447浧 94ca禛 95d9邗 9644靝"
    " 96ed瀞 96fc嬨 9b76爁 9b78矗 9b7b纇 9bc6駖 9bde釔 9bec惞 9bf6澶 9c42輶 9c53侻 9c62營 9c68鄄 9c6b鷰 9c77菏"
    " 9cbc尐秣 9cd0婧 9d57輋 9d5a筑 9dc4拐 9ea9恢 9eef痹 9efd汊 9f60鬮 9f66鼗 9fcb僭 9fd8弌 a063蠏 a077拎 a0d5瑨 a0df煢"
    " a0e4牐 a3c0␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡€ c6cf廴 c6d3无 c6d5癶 c6d7隶 c6de〃仝 fa5f倩 fa66偽 fabd包 fac5卄"
    " fad5卿 fb48嘅 fbb8婷 fbf3幵 fbf9廐 fc4f彘 fc6c悤 fcb9撐 fce2晴 fcf1杞 fdb7沜渝 fdbb港 fdf1煮 fe52猪 fe6f瑜 feaa瓩"
    " fedd砉"
)
_BIG5_OTHER = str.maketrans("•､‾∼♁☉¥¢£", "‧﹑¯～⊕⊙￥￠￡")
# Python reads these as their wide neighbours.
_BIG5_SLASHES = {b"\xa2\x41": "∕", b"\xa2\x42": "﹨"}
_BIG5_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
# Python gives characters for private use where the standard has the later real ones.
_GB18030_OTHER = str.maketrans(
    "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
    "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
    "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
    "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb",
)
_SHIFT_JIS_OTHER = str.maketrans("\uf8f0\uf8f1\uf8f2\uf8f3", "\ufffd" * 4)
_EUC_JP_OTHER = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
# KOI8-U has Belarusian letters in the standard.
_KOI8_U_OTHER = str.maketrans("╝╬", "ўЎ")
_USER_DEFINED = {byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_ROMAN = str.maketrans("\\~", "¥‾")
_KATAKANA = {byte: 0xFF40 + byte for byte in range(0x21, 0x60)}
_HIGH = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_ESCAPES = re.compile(rb"\x1b(\([BJI]|\$[@B]|\$\(D)")

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    # Before those of UTF-16, with which they begin.
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LONG = 65_536
_CUT = 4
_LOST_IN_UTF_8 = "\ufffd".encode()

_Correction = Callable[[UnicodeDecodeError], "tuple[str, int]"]


class Charset(NamedTuple):
    """A charset: what decodes it, with U+FFFD for what is no text in it."""

    name: str
    decode: Callable[[bytes], str]


def as_utf_8(raw: bytes) -> bytes:
    """A file in UTF-16 or UTF-32 as UTF-8, also without a byte order mark. Other files only lose their mark."""
    for mark, name in _MARKS.items():
        if raw.startswith(mark):
            content = raw.removeprefix(mark)
            return content if name == "utf-8" else content.decode(name, "replace").encode()
    # Without a mark: the first two characters are ASCII, so that every other byte is zero.
    even, odd = raw[0:4:2], raw[1:4:2]
    for name, zeros, letters in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros == b"\0\0" and b"\0" not in letters:
            return raw.decode(name, "replace").encode()
    return raw


def decode_text(data: bytes, charset: str | None) -> str:
    """Decode `data` in its charset if that is known and fits, otherwise as UTF-8 if it is that, or Windows-1252.

    A byte order mark is stronger than the charset, and is left out.
    """
    if data.isascii() and (charset is None or charset.lower() in ("utf-8", "us-ascii")):
        return data.decode("ascii")
    if data.startswith(codecs.BOM_UTF8):
        data, charset = data[3:], "utf-8"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(data) % 2 == 0 and b"\0" in data:
        data, charset = data[2:], "utf-16le" if data.startswith(codecs.BOM_UTF16_LE) else "utf-16be"
    for candidate in (find_charset(charset), _UTF_8):
        if candidate is None or (len(data) > _LONG and _is_wrong(candidate, data[:_LONG])):
            continue
        text = candidate.decode(data)
        if _fits(candidate, data, text, is_named=candidate is not _UTF_8):
            # Some codecs, such as UTF-7, give lone surrogates, which can be neither stored nor sent.
            return text.encode("utf-8", "replace").decode()
    return _windows_1252(data)


def _is_wrong(charset: Charset, start: bytes) -> bool:
    # The start of a long text is enough to see that a charset is wrong, and what is none of it is slow to read.
    text = charset.decode(start)
    # A character may be cut.
    return text.count("\ufffd") > _CUT and not _fits(charset, start, text, is_named=charset is not _UTF_8)


def _fits(charset: Charset, data: bytes, text: str, *, is_named: bool) -> bool:
    # A damaged text in the correct charset loses few of its characters; with a wrong charset it loses most.
    lost = text.count("\ufffd")
    if not lost:
        return True
    kept = len(text) - len(text.encode("ascii", "ignore")) - lost
    if charset.name == _UTF_8.name:
        # Another program has lost these before.
        before = data.count(_LOST_IN_UTF_8)
        # Text in another charset has hardly a character in UTF-8, so that as many of these as are lost are no accident.
        return lost == before or (lost - before) * (1 if is_named else 10) <= kept
    return lost * 10 <= kept + lost


@lru_cache(maxsize=512)
def find_charset(label: str | None) -> Charset | None:
    """The charset that a label stands for; None if no label says it, or if the label is one for any text."""
    if not label or len(label) > 100:
        return None
    label = re.sub(r"[\s\"';]+", "", label).lower()
    if label in _UNDECLARED:
        return None
    name = _whatwg_name(label)
    if name is not None:
        return Charset(name, _decoders(name))
    return _python_charset(label)


def _whatwg_name(label: str) -> str | None:
    if label in _UNSAFE_IN_BROWSERS:
        return None
    for name in (label, _MORE_LABELS.get(label), _code_page(label), label.removeprefix("x-"), f"x-{label}"):
        standard: str | None = LABELS.get(name or "")
        if standard is not None and standard != "replacement":
            return standard
    # Programs write the same names with other signs between their letters.
    return _squashed_labels().get(_SIGNS.sub("", label))


@lru_cache(maxsize=1)
def _squashed_labels() -> dict[str, str]:
    return {_SIGNS.sub("", label): name for label, name in LABELS.items() if name != "replacement"}


def _python_charset(label: str) -> Charset | None:
    name = _UNSAFE_IN_BROWSERS.get(label) or _MORE_LABELS.get(label) or _code_page(label) or label
    for candidate in (name, name.removeprefix("x-"), name.removeprefix("cs")):
        try:
            codec = lookup(candidate)
            # Raises for codecs that are no charsets, such as base64 and rot13: the look-up finds them as well.
            "".encode(codec.name)
        except (LookupError, ValueError):
            continue
        if codec.name in _NO_CHARSETS:
            return None
        standard = _whatwg_name(codec.name)
        if standard is not None:
            return Charset(standard, _decoders(standard))
        return Charset(codec.name, partial(_decode_replacing, codec.name))
    return None


def _decode_replacing(name: str, data: bytes) -> str:
    return data.decode(name, "replace")


def _code_page(label: str) -> str | None:
    match = _CODE_PAGE.fullmatch(label)
    return _CODE_PAGES.get(match[1], f"cp{match[1]}") if match else None


def _decoders(name: str) -> Callable[[bytes], str]:
    # The decoder of a charset by its name in the standard.
    if name in _DECODERS:
        return _DECODERS[name]
    codec = _PYTHON_NAMES.get(name, name)
    return lambda data: data.decode(codec, _FILLED)


def _filled(error: UnicodeDecodeError) -> tuple[str, int]:
    # Control characters where a single-byte codec has nothing, if the standard has them there: it knows gaps
    # only above 0x9F.
    byte = error.object[error.start]
    return chr(byte) if 0x80 <= byte <= 0x9F else "\ufffd", error.start + 1


def _windows_1255_errors(error: UnicodeDecodeError) -> tuple[str, int]:
    # A vowel point that Python lacks.
    return ("\u05ba", error.start + 1) if error.object[error.start] == 0xCA else _filled(error)


def _skip(error: UnicodeDecodeError, *, is_pair: bool) -> tuple[str, int]:
    # A second byte that is ASCII stands for itself.
    data, start = error.object, error.start
    following = data[start + 1 : start + 2]
    return "\ufffd", start + (2 if is_pair and following and following[0] >= 0x80 else 1)


def _pairs(error: UnicodeDecodeError) -> tuple[str, int]:
    return _skip(error, is_pair=0x81 <= error.object[error.start] <= 0xFE)


def _shift_jis_errors(error: UnicodeDecodeError) -> tuple[str, int]:
    byte = error.object[error.start]
    return _skip(error, is_pair=0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC)


def _big5_errors(error: UnicodeDecodeError) -> tuple[str, int]:
    pair = error.object[error.start : error.start + 2]
    character = _big5_more().get(pair)
    return (character, error.start + 2) if character else _pairs(error)


@lru_cache(maxsize=1)
def _big5_more() -> dict[bytes, str]:
    runs = ((int(run[:4], 16), run[4:]) for run in _BIG5_MORE.split())
    return {(start + index).to_bytes(2, "big"): character for start, run in runs for index, character in enumerate(run)}


def _gb18030_errors(error: UnicodeDecodeError) -> tuple[str, int]:
    data, start = error.object, error.start
    if data[start] == 0x80:
        return "€", start + 1
    following = data[start + 1 : start + 4]
    if data[start] == 0xFF or not following or not 0x30 <= following[0] <= 0x39:
        return _pairs(error)
    # Four bytes: a digit that turns out to begin none stands for itself.
    is_third, is_fourth = following[1:2] == b"" or 0x81 <= following[1] <= 0xFE, len(following) < 3
    if is_third and (is_fourth or 0x30 <= following[2] <= 0x39):
        return "\ufffd", start + 1 + len(following)
    return "\ufffd", start + 1


def _euc_jp_errors(error: UnicodeDecodeError) -> tuple[str, int]:
    data, start = error.object, error.start
    lead, following = data[start], data[start + 1 : start + 3]
    if lead == 0x8F and following and 0xA1 <= following[0] <= 0xFE:
        return "\ufffd", start + (3 if following[1:2] >= b"\x80" else 2)
    if 0xA1 <= lead <= 0xFE and following and 0xA1 <= following[0] <= 0xFE:
        # Rows of NEC and IBM, which only the codec of Windows has.
        row, cell = lead - 0xA1, following[0] - 0xA1
        first = row // 2 + (0x81 if row < 62 else 0xC1)
        second = cell + (0x9F if row % 2 else 0x40 if cell < 63 else 0x41)
        try:
            return bytes((first, second)).decode("cp932"), start + 2
        except ValueError:
            return "\ufffd", start + 2
    return _skip(error, is_pair=lead in (0x8E, 0x8F) or 0xA1 <= lead <= 0xFE)


def _gb18030(data: bytes) -> str:
    return data.decode("gb18030", _named(_gb18030_errors)).translate(_GB18030_OTHER)


def _big5(data: bytes) -> str:
    pieces, start = [], 0
    if any(pair in data for pair in _BIG5_SLASHES):
        for match in _BIG5_PAIR.finditer(data):
            if match[0] in _BIG5_SLASHES:
                pieces += [_plain_big5(data[start : match.start()]), _BIG5_SLASHES[match[0]]]
                start = match.end()
    return "".join((*pieces, _plain_big5(data[start:])))


def _plain_big5(data: bytes) -> str:
    return data.decode("big5hkscs", _named(_big5_errors)).translate(_BIG5_OTHER)


def _shift_jis(data: bytes) -> str:
    return data.decode("cp932", _named(_shift_jis_errors)).translate(_SHIFT_JIS_OTHER)


def _euc_kr(data: bytes) -> str:
    return data.decode("cp949", _named(_pairs))


def _euc_jp(data: bytes) -> str:
    # JIS X 0212 has the wide tilde a second time, which Python reads as the ASCII one.
    same = data.replace(b"\x8f\xa2\xb7", b"\xa1\xc1")
    return same.decode("euc_jp", _named(_euc_jp_errors)).translate(_EUC_JP_OTHER)


def _iso_2022_jp(data: bytes) -> str:
    # Odd pieces are escape sequences, which say what the bytes after them are.
    first, *rest = _ESCAPES.split(data)
    pieces = [_seven_bit(first)]
    for escape, piece in zip(rest[::2], rest[1::2], strict=True):
        if escape == b"(B":
            pieces.append(_seven_bit(piece))
        elif escape == b"(J":
            pieces.append(_seven_bit(piece).translate(_ROMAN))
        elif escape == b"(I":
            pieces.append(_seven_bit(piece).translate(_KATAKANA))
        elif escape == b"$(D":
            high = re.sub(rb"[\x21-\x7e]{2}", b"\x8f\\g<0>", piece).translate(_HIGH)
            pieces.append(_euc_jp(high))
        else:
            # Line ends stay, though the standard has none among two-byte characters: mail may forget the escape.
            pieces.append(_euc_jp(piece.translate(_HIGH)))
    return "".join(pieces)


def _seven_bit(data: bytes) -> str:
    return data.decode("ascii", "replace").translate({0x0E: "\ufffd", 0x0F: "\ufffd", 0x1B: "\ufffd"})


def _windows_1252(data: bytes) -> str:
    return data.decode("cp1252", _FILLED)


def _named(correction: _Correction) -> str:
    # Error handlers have names in Python, and are looked up by them.
    return f"outlook_emulator{correction.__name__}"


_FILLED = _named(_filled)
_CORRECTIONS = (_filled, _windows_1255_errors, _pairs, _shift_jis_errors, _big5_errors, _gb18030_errors, _euc_jp_errors)
for _correction in _CORRECTIONS:
    codecs.register_error(_named(_correction), _correction)  # type: ignore[arg-type]

_PYTHON_NAMES = {
    "windows-874": "cp874",
    "ibm866": "cp866",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "iso-8859-8-i": "iso8859-8",
}
_UTF_8 = Charset("utf-8", lambda data: data.decode("utf-8", "replace"))
_DECODERS: dict[str, Callable[[bytes], str]] = {
    "utf-8": _UTF_8.decode,
    "utf-16le": lambda data: data.decode("utf-16-le", "replace"),
    "utf-16be": lambda data: data.decode("utf-16-be", "replace"),
    "windows-1252": _windows_1252,
    "gbk": _gb18030,
    "gb18030": _gb18030,
    "big5": _big5,
    "shift_jis": _shift_jis,
    "euc-kr": _euc_kr,
    "euc-jp": _euc_jp,
    "iso-2022-jp": _iso_2022_jp,
    "windows-1255": lambda data: data.decode("cp1255", _named(_windows_1255_errors)),
    "koi8-u": lambda data: data.decode("koi8-u", "replace").translate(_KOI8_U_OTHER),
    "x-user-defined": lambda data: data.decode("latin-1").translate(_USER_DEFINED),
}
