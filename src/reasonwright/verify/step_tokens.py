"""The words of arithmetic in running text: numbers, signs, equals signs, units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

MAX_DIGITS = 30
"""Characters of one number; what is longer is no number of a word problem."""

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
_CLAUSE = frozenset(
    ["and", "or", "so", "then", "but", "because", "since", "if", "that", "which", "when", "while", "where", "with"]
)
"""Words that end an expression; others are units."""


class Token(NamedTuple):
    kind: str
    """number, operator, equals, open, close, word or break."""
    start: int
    end: int
    text: str
    value: Fraction = Fraction(0)
    percent: bool = False


def tokenise(text: str) -> Iterator[Token]:
    """The tokens of a text; what is no part of any equation, line breaks included, is a break."""
    before: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "skip":
            continue
        token = _token(match, kind, before)
        before = [*before[-2:], token]
        yield token


def _token(match: re.Match[str], kind: str, before: Sequence[Token]) -> Token:
    start, end, written = match.start(), match.end(), match[0]
    if kind == "number":
        value = _value(match)
        if value is None:
            return Token("break", start, end, written)
        digits = start + len(written) - len(written.lstrip("\\$€£ \t"))
        digits = start + written.rfind(">>") + 2 if ">>" in written else digits
        percent = match["percent"] is not None
        shown = written[digits - start :]
        return Token("number", digits, end, shown, value / 100 if percent else value, percent)
    if kind == "variable":  # an operation that is never read, so that nothing beside it is an equation
        return Token("operator", start, end, "^")
    if kind == "operator":
        sign = _OPERATORS.get(written, "*")
        if written == "of" and not _is_share(before):
            return Token("word", start, end, written)
        bullet = (not before or before[-1].text == "\n") and match.string[end : end + 1] == " "
        return Token("break" if bullet else "operator", start, end, sign)
    if kind == "unit" or (kind == "word" and written.lower() not in _CLAUSE):
        return Token("word", start, end, written)
    if kind in ("equals", "open", "close"):
        return Token(kind, start, end, written)
    return Token("break", start, end, written)


def _is_share(before: Sequence[Token]) -> bool:
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
