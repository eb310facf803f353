"""Which number an answer text claims, if it claims one."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from reasonwright.verify.literals import MAX_DIGITS, NEXT, ODD, TOKEN, token_value
from reasonwright.verify.markers import boxed_spans

MAX_TOKENS = 64  # of one list or calculation
_TAIL = 2 * MAX_DIGITS  # how far before the last digit of a text its last number may begin
# What ties two numbers together. `apart`: each is a claim of its own. `operator`: both are parts of one expression.
_CLOSE = r"(?:[ \t%°$)\]}]|\*\*(?![0-9])|\\\))*+"
_OPEN = r"(?:[ \t$€£¥₹(\[{+-]|\*\*|\\\()*+"
_JOIN = re.compile(
    rf"{_CLOSE}(?:(?:(?P<equals>=+|≈|\\approx(?![a-z]))"
    r"|(?P<apart>,[ \t]*(?:and|or)\b|[,;&]|(?:and|or|to)\b)"
    rf"|(?P<operator>\*\*?|[-+/x×÷·^–—]|\\times|\\cdot|\\div|[_:.](?=[0-9]))){_OPEN}(?=[0-9.]|{ODD})"
    rf"|(?P<glued>(?={ODD})))"
)
_DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]+")


class Number(NamedTuple):
    value: Fraction
    text: str
    """As it was written, without currency and unit: "-1,000"."""


def first_number(text: str, start: int, end: int) -> Number | None:
    """The first number of `text[start:end]`; None where there is none, or it is one of a list, an expression without
    a result, a division by zero, or too long. `text` has been through `clean`."""
    token = TOKEN.search(text, start, end)
    return _read(text, token, start, end)[0] if token else None


def last_number(text: str) -> Number | None:
    """The last number of the text, by the rules of `first_number`."""
    last_digit = max(map(text.rfind, "0123456789"))
    if last_digit < 0:
        return None
    start = max(0, last_digit - _TAIL)
    # Nothing ties numbers of two lines or sentences together, so the last one is enough, unless it has no number.
    sentence = max(start, text.rfind("\n", start, last_digit) + 1, text.rfind(". ", start, last_digit) + 1)
    position = sentence if TOKEN.search(text, sentence) else start
    number = None
    while token := TOKEN.search(text, position):
        number, position = _read(text, token, start, len(text))
    return number


def count_numbers(text: str) -> int:
    """How many numbers (readable or not) stand in the text; stops counting at two."""
    first = TOKEN.search(text)
    if first is None:
        return 0
    rest = first.end()
    return 1 if _JOIN.match(text, rest) is None and TOKEN.search(text, rest) is None else 2


def boxes_disagree(text: str) -> bool:
    r"""Whether several `\boxed{}` hold different numbers."""
    boxes = boxed_spans(text)
    if len(boxes) < 2:
        return False
    return len({n.value for box in boxes if (n := first_number(text, box.start, box.end))}) > 1


def claims_disagree(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` ends in a list of different numbers, or is nothing but "1 = 42". "1000,99" is let
    through, as a number with a decimal comma."""
    claims: _Claims | None = None
    position = start
    while token := TOKEN.search(text, position, end):
        claims = _claims(text, token, start, end)
        position = claims.end
    if claims is None or len({number.value for number in claims.numbers if number}) < 2:
        return False
    if _DECIMAL_COMMA.fullmatch(text, claims.start, claims.end):
        return False
    return claims.listed or not text[start : claims.start].strip(" ({$")


class _Claims(NamedTuple):
    """Numbers tied together by equals signs, commas, operators: each side that is one number claims its value."""

    numbers: list[Number | None]
    """A side that can't be read claims None; one that is an expression claims nothing."""
    listed: bool
    """A comma or a word stands between two of them."""
    expression_listed: bool
    start: int
    end: int


def _claims(text: str, token: re.Match[str], start: int, end: int) -> _Claims:
    numbers: list[Number | None] = []
    plain, listed, expression = True, False, False
    side, position, tokens = token, token.end(), 1
    while join := _JOIN.match(text, position, end):
        following = NEXT.match(text, join.end(), end)
        if following is None:
            break
        if join["operator"] is not None or join["glued"] is not None:
            plain, expression = False, True
        else:
            if plain:
                numbers.append(_number(text, side, start))
            listed |= join["apart"] is not None
            side, plain = following, True
        position, tokens = following.end(), tokens + 1
        if tokens > MAX_TOKENS:
            return _Claims([None], listed, expression, token.start(), position)
    if plain:
        numbers.append(_number(text, side, start))
    return _Claims(numbers, listed, listed and expression, token.start(), position)


def _read(text: str, token: re.Match[str], start: int, end: int) -> tuple[Number | None, int]:
    """The number that begins at `token`, and where reading ended. "8 x 2 = 16" is 16; "1 = 42", "17, 18" and "5 + 3"
    are none."""
    if _JOIN.match(text, token.end(), end) is None:  # nearly always
        return _number(text, token, start), token.end()
    claims = _claims(text, token, start, end)
    numbers = claims.numbers
    if claims.expression_listed or not numbers or None in numbers or len({n.value for n in numbers if n}) > 1:
        return None, claims.end
    return numbers[0], claims.end


def _number(text: str, token: re.Match[str], start: int) -> Number | None:
    value = token_value(token)
    if value is None:
        return None
    if _is_negative(text, token.start(), start):
        return Number(-value, f"-{token[0]}")
    return Number(value, token[0])


def _is_negative(text: str, at: int, start: int) -> bool:
    """Whether a minus before the number at `at` is its sign, rather than a dash, a bullet or a subtraction."""
    at -= 1
    if at < start:
        return False
    if text[at] in "$€£¥₹":
        at -= 1
    if at >= start and text[at] == "-":
        return at == start or not (text[at - 1].isalnum() or text[at - 1] in "_)]}%")
    before = text[max(start, at - 8) : at + 1].rstrip(" ({$*")
    if not before.endswith("-"):
        return False
    before = before[:-1].rstrip(" *_$({")  # "- 5" is negative where nothing but an equals sign or a colon precedes
    return before.endswith(("=", ":")) or (not before and at - start < 8)
