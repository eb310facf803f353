r"""Numbers as people and models write them, read exactly: "1,000", "−3/4", "\frac{3}{4}", "1 1/2", "2.5e3", "10^3".

Only ASCII digits count: `int("４２")` is 42, yet no task asks for that, so other digits make an answer unreadable.
The patterns are possessive and succeed at every digit, which keeps them linear on hostile text.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

MAX_DIGITS = 1000  # of a literal and of a power's value: more is no answer, and never reaches int()

_INT = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3}(?![0-9]))++|[1-9][0-9]{0,2}(?:[ ][0-9]{3}(?![0-9]))++|[0-9]++)"
_DECIMAL = rf"(?:{_INT}(?:\.[0-9]++)?|(?<![A-Za-z0-9.])\.[0-9]++)"
_FRAC = rf"\\frac[ ]?(?:\{{[ ]?(?:-?{_DECIMAL})[ ]?\}}|[0-9])[ ]?(?:\{{[ ]?(?:-?{_DECIMAL})[ ]?\}}|[0-9])"
_TIMES = r"(?:[x×*·]|\\times|\\cdot)"
ODD = (
    r"(?:(?<=[0-9)}])[²³¹⁰⁴-⁹₀-₉]|[¼-¾⅐-↉①-⓿]|(?![0-9])\d"
    r"|\\(?:frac|sqrt|pi|pm|mp|log|ln|sin|cos|tan|infty|binom|sum|prod|int|overline)(?![a-zA-Z])|[√π∞])"
)
_BODY = rf"""(?:(?P<num>{_DECIMAL})(?:
      [eE](?P<exp>[+-]?[0-9]++)
    | [ ]?{_TIMES}[ ]?10\^\{{?(?P<exp10>[+-]?[0-9]++)\}}?
    | \^\{{?(?P<pow>[0-9]++)\}}?
    | [ ]?/[ ]?(?P<den>-?{_DECIMAL})
    | [ ]?(?P<mixed>{_FRAC})
    | [ ](?P<mixed_num>[0-9]{{1,9}})/(?P<mixed_den>[0-9]{{1,9}})(?![0-9.,/])
    )? | (?P<frac>{_FRAC}) | (?P<odd>{ODD}))"""
NEXT = re.compile(_BODY, re.VERBOSE)
# A digit glued to a letter belongs to a name (x2, H2O), unless the letters are a currency; nor is the 2 of v1.2 one,
# or that of m^2.
TOKEN = re.compile(
    rf"(?:(?:(?<![A-Za-z0-9_])|(?<=USD)|(?<=EUR)|(?<=GBP)|(?<=Rs))(?<![0-9][.])(?<![A-Za-z}}]\^)(?<![A-Za-z}}]\^\{{)(?=[0-9.])|(?![0-9.])){_BODY}",
    re.VERBOSE,
)
_FRAC_SHORT = re.compile(r"\\frac[ ]?(?:\{([^}]*)\}|([0-9]))[ ]?(?:\{([^}]*)\}|([0-9]))")

_UNICODE = str.maketrans(
    dict.fromkeys("−‐‑﹣－", "-") | dict.fromkeys("\u00a0\u2007\u2008\u2009\u200a\u202f\u205f", " ") | {"％": "%"}
)
_LATEX = re.compile(r"\\!|\{,\}|\\[,;: ]|~|\\([$%])|\\[dtc]frac|\\(?:left|right)(?![a-z])")
_LEAD = re.compile(r"\s*[-+]?\s*(?:[$€£¥₹]|USD|EUR|GBP|Rs\.?)?\s*[-+]?\s*")
_TRAIL = re.compile(r"\s*(?:%|°|\^\{?\\circ\}?|[€£¥₹])?\s*\.?\s*")


def clean(text: str) -> str:
    """The text with the typographic variants of minus, space and LaTeX spacing made plain."""
    if not text.isascii():
        text = text.translate(_UNICODE)
    if "\\" in text or "{,}" in text or "~" in text:
        text = _LATEX.sub(_plain_latex, text)
    return text


@lru_cache(maxsize=4096)
def parse_number(text: str) -> Fraction | None:
    """The value of a text that is one number and nothing else but currency, percent or degree; else None."""
    text = clean(text)
    token = TOKEN.search(text)
    if token is None or not _LEAD.fullmatch(text, 0, token.start()) or not _TRAIL.fullmatch(text, token.end()):
        return None
    value = token_value(token)
    return -value if value is not None and "-" in text[: token.start()] else value


def token_value(token: re.Match[str]) -> Fraction | None:
    """The value of a match of `TOKEN` or `NEXT`, its sign left out; None where it has none."""
    if token["odd"] or token.end() - token.start() > 2 * MAX_DIGITS:
        return None
    if token["frac"]:
        return _fraction(token["frac"])
    number = _decimal(token["num"])
    kind = token.lastgroup
    if number is None or kind == "num":
        return number
    if kind in ("exp", "exp10"):
        exponent = token[kind]
        return number * Fraction(10) ** int(exponent) if _small(exponent) else None
    if kind == "pow":
        power, digits = token["pow"], len(token["num"])
        return number ** int(power) if _small(power) and digits * int(power) <= MAX_DIGITS else None
    if kind == "den":
        return _divide(number, _decimal(token["den"]))
    part = _fraction(token["mixed"]) if token["mixed"] else Fraction(0)
    if kind == "mixed_den":
        part = _divide(Fraction(int(token["mixed_num"])), Fraction(int(token["mixed_den"])))
    proper = part is not None and 0 < part < 1 and number.denominator == 1
    return number + part if proper and part is not None else None


def _small(exponent: str) -> bool:
    return len(exponent) <= 5 and abs(int(exponent)) <= MAX_DIGITS


def _decimal(text: str) -> Fraction | None:
    if len(text) > MAX_DIGITS:
        return None
    if text.isdecimal():
        return Fraction(int(text))
    return Fraction(text.replace(",", "").replace(" ", ""))


def _fraction(text: str) -> Fraction | None:
    parts = _FRAC_SHORT.fullmatch(text)
    if parts is None:
        return None
    top, bottom = (parts[1] or parts[2]).strip(), (parts[3] or parts[4]).strip()
    numerator = _decimal(top)
    return None if numerator is None else _divide(numerator, _decimal(bottom))


def _divide(numerator: Fraction, denominator: Fraction | None) -> Fraction | None:
    return numerator / denominator if denominator else None


def _plain_latex(match: re.Match[str]) -> str:
    found = match[0]
    if match[1]:
        return match[1]
    if found.endswith("frac"):
        return "\\frac"
    return {"{,}": ",", "\\!": ""}.get(found, "" if found[1:].isalpha() else " ")
