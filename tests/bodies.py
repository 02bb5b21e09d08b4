"""Bodies as the mail service stores them, written out apart from the emulator's own code."""

from __future__ import annotations

META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
BEFORE_FRAGMENT = f"<html><head>\r\n{META}</head><body>"
TEXT_START = (
    '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
    '<meta name="Generator" content="Microsoft Exchange Server">\r\n'
    "<!-- converted from text -->\r\n"
    "<style><!-- .EmailQuote { margin-left: 1pt; padding-left: 4pt; border-left: #800000 2px solid; } --></style>"
    '</head>\r\n<body>\r\n<font size="2"><span style="font-size:11pt;"><div class="PlainText">'
)
TEXT_END = "</div></span></font>\r\n</body>\r\n</html>\r\n"


def from_fragment(html: str) -> str:
    """A fragment of HTML in the document in which it is stored."""
    return f"{BEFORE_FRAGMENT}{html}</body></html>"


def from_text(html: str) -> str:
    """Text in the document in which it is stored; `html` is the text as HTML has it."""
    return f"{TEXT_START}{html}{TEXT_END}"
