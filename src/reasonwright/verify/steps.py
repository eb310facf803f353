r"""Equations in a thought, read exactly: "28 x 4 = 112", "80 x 0.15 = 12", "$24 - $5 = $19", "15% of 80 is 12".

An equation is an expression with at least one operation, an equals sign (or "is", "equals", …) and a result. In a chain
"a = b = c" every side with an operation is one. Units between numbers and signs are passed over ("6 loaves x $4 =
$24"). What cannot be read for sure ("2x + 3 + 4 = 10") is no equation. Linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from reasonwright.verify.step_tokens import Token, tokenise

MAX_TOKENS = 60
"""Of one side of an equation."""
MAX_UNIT_WORDS = 4
MAX_DEPTH = 8
MAX_DECIMALS = 6
"""Further decimals are not compared: floating-point numbers are off in the last."""


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


class _Expression(NamedTuple):
    value: Fraction | None
    operators: tuple[str, ...]
    operands: tuple[Fraction, ...]
    next: int


def equations(text: str) -> list[Equation]:
    """Every equation of the text, in order.

    >>> [(str(e.value), str(e.result), e.valid) for e in equations("That is 6 x $4 = $24 - $5 = $18.")]
    [('24', '24', True), ('19', '18', False)]
    """
    tokens = list(tokenise(text))
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


def _equation(tokens: Sequence[Token], start: int, left: _Expression, at: int) -> Equation | None:
    right = _expression(tokens, at + 1, min(len(tokens), at + 1 + MAX_TOKENS))
    if right is None or right.value is None:
        return None
    number = next(tokens[i] for i in range(at + 1, right.next) if tokens[i].kind == "number")
    result, written = right.value, number
    approximate = tokens[at].text in ("≈", "\\approx") or tokens[at].text.endswith("about")
    chained = right.next < len(tokens) and tokens[right.next].kind == "equals"
    if right.operators and chained and left.value != right.value:
        result = right.operands[0]  # "5 + 3 = 8 x 2 = 16": each sign speaks of the number beside it
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


def _agrees(value: Fraction, result: Fraction, written: Token, approximate: bool) -> bool:
    if value == result or (written.percent and value == 100 * result):  # "12 / 80 x 100 = 15%"
        return True
    decimals = min(MAX_DECIMALS, len(_digits(written).partition(".")[2]))
    scale = 100 if written.percent else 1
    return (decimals > 0 or approximate) and abs(value - result) * 2 * 10**decimals * scale <= 1


def _digits(number: Token) -> str:
    return number.text.removesuffix("percent").rstrip("% \\")


def _left(tokens: Sequence[Token], border: int, end: int) -> tuple[int, _Expression] | None:
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


def _is_sign(tokens: Sequence[Token], at: int) -> bool:
    """A minus glued to its number, with neither a number nor a word before it."""
    token = tokens[at]
    glued = at + 1 < len(tokens) and tokens[at + 1].kind == "number" and tokens[at + 1].start == token.end
    before = tokens[at - 1].kind if at else "break"
    return token.text == "-" and glued and before in ("break", "equals", "operator", "open")


def _expression(tokens: Sequence[Token], at: int, end: int, depth: int = 0) -> _Expression | None:
    """sum := product (+|- product)*; the longest one that starts at `at`."""
    return _series(tokens, at, end, depth, "+-", _product)


def _product(tokens: Sequence[Token], at: int, end: int, depth: int) -> _Expression | None:
    return _series(tokens, at, end, depth, "*/", _factor)


def _series(tokens: Sequence[Token], at: int, end: int, depth: int, signs: str, part) -> _Expression | None:
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


def _factor(tokens: Sequence[Token], at: int, end: int, depth: int) -> _Expression | None:
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
