"""Charsets: labels and decoders of the WHATWG Encoding standard, and names that mail programs use beside them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import pytest
from webencodings.labels import LABELS

from outlook_emulator.mailbox.formats.charsets import decode_text, find_charset

# The start of the SHA-256 of what `inputs` decode to, computed with an independent implementation of the standard:
# version 1.16.0 of the npm package @exodus/bytes (MIT).
EXPECTED = {
    "big5": "8ad7b133fb12bd1d",
    "euc-jp": "581a368678dac1de",
    "euc-kr": "f7cfb5a10b60572f",
    "gb18030": "f2bad78ee92126c3",
    "gbk": "f2bad78ee92126c3",
    "ibm866": "5a856a1cc72f92ff",
    "iso-2022-jp": "66f092efdd4581c5",
    "iso-8859-10": "34e36339240c8d8b",
    "iso-8859-13": "3bac58e9cc8e52cd",
    "iso-8859-14": "ec2339ae801d5107",
    "iso-8859-15": "e3f0667fe89309a7",
    "iso-8859-16": "c68ff962b68531cb",
    "iso-8859-2": "5e9a0811bf08daf5",
    "iso-8859-3": "6555258335579b89",
    "iso-8859-4": "08e4e0f402fac588",
    "iso-8859-5": "df3e28bbb226e1cd",
    "iso-8859-6": "ac5e5b97608b416e",
    "iso-8859-7": "9f68204513e94f00",
    "iso-8859-8": "16b842dbf1779d83",
    "iso-8859-8-i": "16b842dbf1779d83",
    "koi8-r": "e18c51434de748aa",
    "koi8-u": "09ca3df06fe07cf2",
    "macintosh": "a6af4ef8837ca7fc",
    "shift_jis": "9744908d69bd034d",
    "windows-1250": "697d3e9c20631e29",
    "windows-1251": "046cabf3dd731926",
    "windows-1252": "b45da48fcc29fa51",
    "windows-1253": "b86ba26ea99fb622",
    "windows-1254": "233441a35d0b7823",
    "windows-1255": "63cacbae4c945413",
    "windows-1256": "8f0f0e8f96c6e90c",
    "windows-1257": "a2e34bb97e73154a",
    "windows-1258": "7ab8842d941a6717",
    "windows-874": "328a1a499919669e",
    "x-mac-cyrillic": "b84eb464bfafed28",
    "x-user-defined": "87337a75680cce3d",
}
PAIRS = frozenset({"gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr"})
# They mean any text, so that what is UTF-8 is read as UTF-8.
UNDECLARED = {"ascii", "us-ascii", "ansi_x3.4-1968"}


def inputs(name: str) -> Iterator[bytes]:
    """Every byte, and every pair of bytes where a charset has pairs."""
    yield from (bytes([byte]) for byte in range(256))
    if name in PAIRS:
        yield from (bytes([first, second]) for first in range(0x80, 0x100) for second in range(0x100))
    rows = range(0xA1, 0xFF)
    if name == "euc-jp":
        yield from (bytes([0x8F, row, cell]) for row in rows for cell in rows)
    if name == "iso-2022-jp":
        yield from (b"\x1b$B" + bytes([row & 0x7F, cell & 0x7F]) for row in rows for cell in rows)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_byte_is_decoded_as_the_standard_says(name: str) -> None:
    """Each charset decodes every byte and pair as the standard says, also what is no text in it."""
    charset = find_charset(name)
    assert charset is not None
    decoded = "".join(f"{charset.decode(data)}\n" for data in inputs(name))

    assert sha256(decoded.encode("utf-8", "surrogatepass")).hexdigest()[:16] == EXPECTED[name]


def test_every_label() -> None:
    """Every label of the standard stands for its charset, in any case and with blanks or quotes around it."""
    labels = {label: name for label, name in LABELS.items() if name != "replacement" and label not in UNDECLARED}
    read = {label: getattr(find_charset(f' "{label.upper()}"'), "name", None) for label in labels}

    assert len(labels) > 200
    assert read == labels


HELLO = "こんにちは世界"


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("windows-31j", "cp932", "①㈱髙"),
        ("x-sjis", "cp932", HELLO),
        ("cp932", "cp932", HELLO),
        ("ms932", "cp932", HELLO),
        ("windows-932", "cp932", HELLO),
        ("sjis-win", "cp932", HELLO),
        ("x-mac-japanese", "shift_jis", HELLO),
        ("cp50220", "iso2022_jp", HELLO),
        ("cp50221", "iso2022_jp", HELLO),
        ("iso-2022-jp-ms", "iso2022_jp", HELLO),
        ("iso-2022-jp-1", "iso2022_jp_1", f"{HELLO}丂"),
        ("iso-2022-jp-2", "iso2022_jp_2", f"{HELLO}안녕"),
        ("cp51932", "euc_jp", HELLO),
        ("eucJP", "euc_jp", HELLO),
        ("ujis", "euc_jp", HELLO),
        ("euc-cn", "gb2312", "你好世界"),
        ("cp936", "gbk", "你好世界"),
        ("ms936", "gbk", "你好世界"),
        ("windows-936", "gbk", "你好世界"),
        ("cp54936", "gb18030", "你好𠀀"),
        ("hz-gb-2312", "hz", "你好世界"),
        ("iso-2022-kr", "iso2022_kr", "안녕하세요"),
        ("cp949", "cp949", "안녕하세요"),
        ("uhc", "cp949", "똠방각하"),
        ("windows-949", "cp949", "똠방각하"),
        ("x-windows-949", "cp949", "똠방각하"),
        ("johab", "johab", "안녕하세요"),
        ("cp1361", "johab", "안녕하세요"),
        ("cp950", "cp950", "你好世界"),
        ("big5-hkscs", "big5hkscs", "你好啫"),
        ("cp874", "cp874", "สวัสดี"),
        ("tis-620", "cp874", "สวัสดี"),
        ("koi8-ru", "koi8_u", "Привіт"),
        ("cp20866", "koi8_r", "Привет"),
        ("cp21866", "koi8_u", "Привіт"),
        ("cp866", "cp866", "Привет"),
        ("ibm866", "cp866", "Привет"),
        ("x-mac-cyrillic", "mac_cyrillic", "Привет"),
        ("logical", "iso8859_8", "שלום"),
        ("visual", "iso8859_8", "שלום"),
        ("cp38598", "iso8859_8", "שלום"),
        ("cp28592", "iso8859_2", "Žluťoučký"),
        ("cp28605", "iso8859_15", "10 €"),
        ("latin-9", "iso8859_15", "10 €"),
        ("ISO_8859-1", "cp1252", "“naïve” €"),
        ("x-iso-8859-1", "cp1252", "naïve"),
        ("win1251", "cp1251", "Привет"),
        ("x-cp1251", "cp1251", "Привет"),
        ("windows1251", "cp1251", "Привет"),
        ("cp65001", "utf_8", "naïve ✓"),
        ("utf8mb4", "utf_8", "naïve ✓"),
        ("unicode-1-1-utf-8", "utf_8", "naïve ✓"),
        ("cp65000", "utf_7", "naïve ✓"),
        ("utf-7", "utf_7", "naïve ✓"),
        ("unicode-1-1-utf-7", "utf_7", "naïve ✓"),
        ("utf-16", "utf_16", "naïve ✓"),
        ("utf-16", "utf_16_le", "naïve ✓"),
        ("utf-16be", "utf_16_be", "naïve ✓"),
        ("unicodefffe", "utf_16_be", "naïve ✓"),
        ("cp1200", "utf_16_le", "naïve ✓"),
        ("utf-32le", "utf_32_le", "naïve ✓"),
        ("cp437", "cp437", "naïve"),
        ("ibm850", "cp850", "naïve"),
        ("cp-850", "cp850", "naïve"),
        ("csIBM850", "cp850", "naïve"),
        ("csPC850Multilingual", "cp850", "naive"),
        ("ibm037", "cp037", "naive"),
        ("x-mac-ce", "mac_latin2", "Žluťoučký"),
        ("cp10029", "mac_latin2", "Žluťoučký"),
        ("macintosh", "mac_roman", "naïve ∞"),
        ("mac-roman", "mac_roman", "naïve ∞"),
        ("mac-cyrillic", "mac_cyrillic", "Привет"),
        ("KOI8R", "koi8_r", "Привет"),
        ("iso88598i", "iso8859_8", "שלום"),
        ("iso8859_8_i", "iso8859_8", "שלום"),
        ("windows_31j", "cp932", HELLO),
        ("ksc-5601-1989", "cp949", "안녕하세요"),
        ("gb-2312", "gb2312", "你好世界"),
        ("1251", "cp1251", "Привет"),
        ("28592", "iso8859_2", "Žluťoučký"),
    ],
)
def test_names_of_mail_programs(label: str, codec: str, text: str) -> None:
    """Names that mail programs use beside the labels of the standard are known."""
    assert decode_text(text.encode(codec), label) == text


@pytest.mark.parametrize(
    ("label", "data", "expected"),
    [
        ("us-ascii", "naïve".encode(), "naïve"),
        ("us-ascii", "naïve".encode("cp1252"), "naïve"),
        ("usascii", "naïve".encode(), "naïve"),
        ("csASCII", "naïve".encode(), "naïve"),
        ("ansi_x3.4-1986", "naïve".encode(), "naïve"),
        ("unknown-8bit", "naïve".encode(), "naïve"),
        ("x-unknown", "naïve".encode("cp1252"), "naïve"),
        ("no-such-charset", "naïve ✓".encode(), "naïve ✓"),
        ("no-such-charset", "“naïve”".encode("cp1252"), "“naïve”"),
        ("no-such-charset", b"\x81\x8d", "\x81\x8d"),
        (None, "naïve".encode("cp1252"), "naïve"),
        ("utf-8", b"\xef\xbb\xbfna\xc3\xafve", "naïve"),
        ("iso-8859-1", b"\xef\xbb\xbfna\xc3\xafve", "naïve"),
        ("utf-8", "\ufeffnaïve".encode("utf-16-le"), "naïve"),
        ("utf-8", "\ufeffnaïve".encode("utf-16-be"), "naïve"),
        ("base64", b"naive", "naive"),
        ("a" * 100_000, b"naive", "naive"),
        ("\0", b"naive", "naive"),
        ("../utf-8", b"naive", "naive"),
        ("idna", "naïve".encode(), "naïve"),
    ],
)
def test_wrong_and_unknown_charsets(label: str | None, data: bytes, expected: str) -> None:
    """Without a charset that fits, text is read as UTF-8 if it is that, and as Windows-1252 otherwise."""
    assert decode_text(data, label) == expected


def test_line_ends_in_two_byte_text() -> None:
    """A line may end without an escape sequence in ISO-2022-JP: nothing is lost."""
    assert decode_text(b"\x1b$B$3$s\n$K$A$O\x1b(B.", "iso-2022-jp") == "こん\nにちは."


@pytest.mark.slow
@pytest.mark.parametrize("label", ["iso-2022-jp", "big5", "gb18030", "euc-jp", "shift_jis", "euc-kr", "utf-8", "hz"])
@pytest.mark.parametrize("data", [b"\xff", b"\x81", b"\xa2A", b"\x1b$B", b"\x8f\xa1", b"\x840"])
def test_broken_text_is_decoded_in_seconds(label: str, data: bytes) -> None:
    """Long broken text takes no longer than its length: the square of it would be hours."""
    assert isinstance(decode_text(data * (200_000 // len(data)), label), str)
