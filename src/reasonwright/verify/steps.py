r"""Equations in a thought, read exactly: "28 x 4 = 112", "80 x 0.15 = 12", "$24 - $5 = $19", "15% of 80 is 12".

An equation is an expression with at least one operation, an equals sign (or "is", "equals", …) and a result. In a chain
"a = b = c" every side with an operation is one. Units between numbers and signs are passed over ("6 loaves x $4 =
$24"). What cannot be read for sure ("2x + 3 + 4 = 10") is no equation. Linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

MAX_DIGITS = 30
MAX_TOKENS = 60
"""Of one side of an equation."""
MAX_UNIT_WORDS = 4
MAX_DEPTH = 8
MAX_DECIMALS = 6
"""Further decimals are not compared: floating-point numbers are off in the last."""

_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]{1,3}(?:[ ][0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_TOKEN = re.compile(
    rf"""(?P<skip>[ \t]+|<<[^<>\n]*>>|\*\*|\\[()\[\]]|\\[,;!])
    |(?P<clock>[0-9]+:[0-9]+)
    |(?P<number>(?:\\?[$€£][ \t]*(?:<<[^<>\n]*>>)?)?
        (?:\\d?frac\{{(?P<top>[0-9]+)\}}\{{(?P<bottom>[0-9]+)\}}
          |(?P<whole>[0-9]+)[ ](?P<mixed_top>[0-9]+)/(?P<mixed_bottom>[0-9]+)
          |(?P<plain>{_NUMBER}))(?P<percent>[ ]?\\?%|[ ]percent\b)?)
    |(?P<variable>(?<=[0-9])[A-Za-z](?![A-Za-z0-9$(]))
    |(?P<unit>/[ ]?[A-Za-z]+|-[A-Za-z]+)
    |(?P<equals>=+|≈|\\approx|\b(?:is|are|equals|makes|gives)\b(?:[ ](?:about|exactly|equal[ ]to)\b)?)
    |(?P<operator>\\times|\\cdot|\\div|[*×·⋅÷/+\-−–^]|[xX](?![A-Za-z])
        |\b(?:plus|minus|times|multiplied[ ]by|divided[ ]by|of)\b)
    |(?P<open>\()|(?P<close>\))
    |(?P<word>[A-Za-z][\w'’]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPERATORS = {
    "+": "+", "plus": "+", "-": "-", "−": "-", "–": "-", "minus": "-", "/": "/", "÷": "/", "\\div": "/",
    "divided by": "/", "of": "*", "^": "^",
}  # fmt: skip
_CLAUSE = frozenset("and or so then but because since if that which when while where with".split())


@dataclass(frozen=True, slots=True)
class Equation:
    """One step of arithmetic as it is written."""

    start: int
    end: int
    """Of the whole equation in the text."""
    result_start: int
    result_end: int
    """Of the result's digits: "1,000" in "$1,000"."""
    operators: tuple[str, ...]
    """Of `+ - * /`, in the order of the text."""
    operands: tuple[Fraction, ...]
    value: Fraction | None
    """What the left side comes to; None where it divides by zero."""
    result: Fraction
    """What the text says it comes to."""
    valid: bool
    """Exactly right, or right as rounded to the decimals that are written ("100 / 3 = 33.33")."""


class _Token(NamedTuple):
    kind: str  # number, operator, equals, open, close, word or break
    start: int
    end: int
    text: str
    value: Fraction = Fraction(0)
    percent: bool = False


class _Expression(NamedTuple):
    value: Fraction | None
    operators: tuple[str, ...]
    operands: tuple[Fraction, ...]
    next: int


def equations(text: str) -> list[Equation]:
    """Every equation of the text, in order.

    >>> [(e.operands, e.result, e.valid) for e in equations("That is 6 x $4 = $24 - $5 = $18.")]
    [((Fraction(6, 1), Fraction(4, 1)), Fraction(24, 1), True), ((Fraction(24, 1), Fraction(5, 1)), Fraction(18, 1), False)]
    """
    tokens = list(_tokens(text))
    found = []
    border = 0  # the left side may begin here
    for at, token in enumerate(tokens):
        if token.kind == "break":
            border = at + 1
        elif token.kind == "equals":
            left = _left(tokens, max(border, at - MAX_TOKENS), at)
            if left is not None and (equation := _equation(tokens, *left, at)):
                found.append(equation)
            border = at + 1
    return found


def _equation(tokens: Sequence[_Token], start: int, left: _Expression, at: int) -> Equation | None:
    right = _expression(tokens, at + 1, min(len(tokens), at + 1 + MAX_TOKENS))
    if right is None or right.value is None:
        return None
    number = next(token for token in tokens[at + 1 :] if token.kind == "number")
    result, written = right.value, number
    approximate = tokens[at].text in ("≈", "\\approx") or tokens[at].text.endswith("about")
    chained = right.next < len(tokens) and tokens[right.next].kind == "equals"
    if right.operators and chained and left.value != right.value:  # "5 + 3 = 8 x 2 = 16": each sign speaks of the
        result = right.operands[0]  # number beside it
    return Equation(
        tokens[start].start,
        number.end,
        written.start,
        written.end - len(written.text) + len(_digits(written)),
        left.operators,
        left.operands,
        left.value,
        result,
        left.value is not None and _agrees(left.value, result, written, approximate),
    )


def _agrees(value: Fraction, result: Fraction, written: _Token, approximate: bool) -> bool:
    if value == result or (written.percent and value == 100 * result):  # "12 / 80 x 100 = 15%"
        return True
    decimals = min(MAX_DECIMALS, len(_digits(written).partition(".")[2]))
    scale = 100 if written.percent else 1
    return (decimals > 0 or approximate) and abs(value - result) * 2 * 10**decimals * scale <= 1


def _digits(number: _Token) -> str:
    return number.text.removesuffix("percent").rstrip("% \\")


def _left(tokens: Sequence[_Token], border: int, end: int) -> tuple[int, _Expression] | None:
    """The longest expression with an operation that ends at `end`, and where it starts."""
    for start in range(border, end):
        if tokens[start].kind not in ("number", "open", "operator"):
            continue
        if tokens[start].kind == "operator" and not _is_sign(tokens, start):
            continue
        found = _expression(tokens, start, end)
        if found is not None and found.next == end:
            part_of_more = start > border and tokens[start - 1].kind in ("operator", "close", "number")
            quantity = found.operators == ("/",) and tokens[end].text.isalpha()  # "1/3 pound is $5"
            return (start, found) if found.operators and not part_of_more and not quantity else None
    return None


def _is_sign(tokens: Sequence[_Token], at: int) -> bool:
    """A minus glued to its number, with neither a number nor a word before it."""
    token = tokens[at]
    glued = at + 1 < len(tokens) and tokens[at + 1].kind == "number" and tokens[at + 1].start == token.end
    before = tokens[at - 1].kind if at else "break"
    return token.text == "-" and glued and before in ("break", "equals", "operator", "open")


def _expression(tokens: Sequence[_Token], at: int, end: int, depth: int = 0) -> _Expression | None:
    """sum := product (+|- product)*; the longest one that starts at `at`."""
    return _series(tokens, at, end, depth, "+-", _product)


def _product(tokens: Sequence[_Token], at: int, end: int, depth: int) -> _Expression | None:
    return _series(tokens, at, end, depth, "*/", _factor)


def _series(tokens: Sequence[_Token], at: int, end: int, depth: int, signs: str, part) -> _Expression | None:
    total = part(tokens, at, end, depth)
    while total is not None and total.next < end:
        token = tokens[total.next]
        sign, skip = (token.text, 1) if token.kind == "operator" else ("*", 0) if token.kind == "open" else ("", 0)
        following = part(tokens, total.next + skip, end, depth) if sign and sign in signs else None
        if following is None:
            break
        total = _Expression(
            _calculate(total.value, sign, following.value),
            (*total.operators, sign, *following.operators),
            total.operands + following.operands,
            following.next,
        )
    return total


def _factor(tokens: Sequence[_Token], at: int, end: int, depth: int) -> _Expression | None:
    """A number with its unit, or a sum in brackets."""
    if at >= end or depth > MAX_DEPTH:
        return None
    sign = 1
    if tokens[at].kind == "operator" and _is_sign(tokens, at):
        sign, at = -1, at + 1
    if tokens[at].kind == "number":
        value = sign * tokens[at].value
        found = _Expression(value, (), (value,), at + 1)
    elif tokens[at].kind == "open":
        inner = _expression(tokens, at + 1, end, depth + 1)
        if inner is None or inner.next >= end or tokens[inner.next].kind != "close":
            return None
        found = inner._replace(next=inner.next + 1)
    else:
        return None
    after = found.next
    while after < min(end, found.next + MAX_UNIT_WORDS) and tokens[after].kind == "word":
        after += 1
    return found._replace(next=after)


def _calculate(left: Fraction | None, sign: str, right: Fraction | None) -> Fraction | None:
    if left is None or right is None or (sign == "/" and right == 0):
        return None
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return left / right


def _tokens(text: str) -> Iterator[_Token]:
    before: list[_Token] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "skip":
            continue
        token = _token(match, kind, before)
        before = [*before[-2:], token]
        yield token


def _token(match: re.Match[str], kind: str, before: Sequence[_Token]) -> _Token:
    start, end, written = match.start(), match.end(), match[0]
    if kind == "number":
        value = _value(match)
        if value is None:
            return _Token("break", start, end, written)
        digits = start + len(written) - len(written.lstrip("\\$€£ \t"))
        digits = start + written.rfind(">>") + 2 if ">>" in written else digits
        percent = match["percent"] is not None
        shown = written[digits - start :]
        return _Token("number", digits, end, shown, value / 100 if percent else value, percent)
    if kind == "variable":  # an operation that is never read, so that nothing beside it is an equation
        return _Token("operator", start, end, "^")
    if kind == "operator":
        sign = _OPERATORS.get(written, "*")
        if written == "of" and not _is_share(before):
            return _Token("word", start, end, written)
        bullet = (not before or before[-1].text == "\n") and match.string[end : end + 1] == " "
        return _Token("break" if bullet else "operator", start, end, sign)
    if kind == "unit" or (kind == "word" and written.lower() not in _CLAUSE):
        return _Token("word", start, end, written)
    if kind in ("equals", "open", "close"):
        return _Token(kind, start, end, written)
    return _Token("break", start, end, written)


def _is_share(before: Sequence[_Token]) -> bool:
    """Whether "of" after these tokens multiplies: "15% of", "1/2 of", "0.2 of", but not "3 of"."""
    if not before or before[-1].kind != "number":
        return False
    ratio = len(before) > 1 and before[-2].kind == "operator" and before[-2].text == "/"
    return ratio or before[-1].percent or before[-1].value.denominator > 1


def _value(match: re.Match[str]) -> Fraction | None:
    """The number's value without its percent sign; None where it is too long or divides by zero."""
    if match.end() - match.start() > MAX_DIGITS:
        return None
    if match["plain"]:
        return Fraction(match["plain"].replace(",", "").replace(" ", ""))
    if match["top"]:
        return Fraction(int(match["top"]), int(match["bottom"])) if int(match["bottom"]) else None
    bottom = int(match["mixed_bottom"])
    return int(match["whole"]) + Fraction(int(match["mixed_top"]), bottom) if bottom else None
