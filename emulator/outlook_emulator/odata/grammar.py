"""The grammar of `$filter`, and the parser that lark makes of it.

It covers the expressions of OData 4.01 that Outlook's connector offers. Operators need white space on both sides.
`not` binds tighter than a comparison, as the standard says. A prefix before a quoted text is dropped, so `datetime'…'`
of OData 2 and `Namespace.Enum'…'` are plain texts.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

# The number behind a terminal is its priority in lark: keywords and literals come before names.
_GRAMMAR = r"""
?or: and (_OR and)*
?and: equality (_AND equality)*
?equality: comparison | equality EQUALITY comparison -> compare
?comparison: sum | comparison ORDERING sum -> compare
?sum: product | sum SUM product -> arithmetic
?product: unary | product PRODUCT unary -> arithmetic
?unary: membership | _NOT unary -> not | _MINUS unary -> negation
?membership: operand | membership _IN "(" _list ")" -> within
?operand: "(" or ")" | literal | path | quantifier | call
_list: or ("," or)*
call: NAME "(" [_list] ")"
path: NAME ("/" NAME)*
quantifier: path ANY [lambda] ")" | path ALL lambda ")"
lambda: NAME ":" or
?literal: NULL | BOOLEAN | NUMBER | DECIMAL | TEXT | GUID | INSTANT | TIME | DURATION | GEOGRAPHY

_OR.2: /\s+or\s+/
_AND.2: /\s+and\s+/
EQUALITY.2: /\s+(eq|ne)\s+/
ORDERING.2: /\s+(gt|ge|lt|le)\s+/
SUM.2: /\s+(add|sub)\s+/
PRODUCT.2: /\s+(mul|div|mod)\s+/
_IN.2: /\s+in\s+/
_NOT.2: /not(?=[\s(])/
ANY.2: /\/\s*any\s*\(/
ALL.2: /\/\s*all\s*\(/

NULL.2: /null\b/
BOOLEAN.2: /(true|false)\b/
DURATION.4: /duration'[^']*'/
GEOGRAPHY.4: /geography'([^']|'')*'/
TEXT.3: /((datetime|datetimeoffset|guid|[a-z]\w{0,60}(\.\w{1,60}){1,8})?(?='))'([^']|'')*'/
GUID.3: /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/
INSTANT.3: /[1-9]\d{3}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)?)?/
TIME.2: /\d\d:\d\d:\d\d(\.\d{1,12})?/
DECIMAL.2: /[+-]?\d+(\.\d+(e[+-]?\d+)?|e[+-]?\d+)/
NUMBER.1: /[+-]?\d+/
_MINUS: "-"
NAME: /[_a-z](\.?\w){0,127}/
WHITE_SPACE: /\s+/
%ignore WHITE_SPACE
"""


class SyntaxProblem(Exception):
    """A text that the grammar does not allow, with the position where it stops to fit."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def parse(text: str) -> Tree[Token] | Token:
    """The syntax tree of a filter. Raises SyntaxProblem."""
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        is_at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        raise SyntaxProblem(len(text) if is_at_end else error.pos_in_stream or 0) from error


def load() -> None:
    """Make the parser, which takes 100 ms; the first filter would do it otherwise."""
    _parser()


@cache
def _parser() -> Lark:
    # Imported when the first filter is read: lark takes longer to import than the rest of `odata`.
    from re import IGNORECASE

    from lark import Lark

    return Lark(_GRAMMAR, start="or", parser="lalr", g_regex_flags=IGNORECASE)
