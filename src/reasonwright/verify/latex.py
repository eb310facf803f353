"""Answers in LaTeX. Plain numbers are compared here, exactly; all else is Math-Verify's, in a process of its own.

Only what follows the thought gets there, and Math-Verify's known false accepts (`1=42` for 42, "40, 41, 42" for 42)
are refused before.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reasonwright.types import UserError, Verdict
from reasonwright.verify import latex_pool
from reasonwright.verify.literals import MAX_DIGITS, clean, parse_number
from reasonwright.verify.markers import Span, first_sentence, is_answer_sentence, last_span
from reasonwright.verify.numbers import boxes_disagree, claims_disagree

MAX_CHARS = 20_000  # of an answer's end that Math-Verify sees: its patterns are not linear
MAX_BARE = 200  # of an unmarked text that may be a formula as a whole
ROUNDING = Fraction(1, 10**6)  # relative, for a decimal that stands for a fraction without end

_MATH = re.compile(r"(?<!\\)\$|\\\(|\\\[|\\boxed")
_DELIMITERS = re.compile(r"(?<!\\)\$+|\\[()\[\]]|\*\*|\\boxed\s*\{(.*)\}", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"[0-9]+,[0-9]+")


def check_latex(gold: str) -> None:
    """Raise `UserError` where neither we nor Math-Verify can read the gold answer."""
    if _plain(gold) is None:
        reply = latex_pool.pool.ask(_gold_forms(gold), [])
        if reply is None or reply["gold"] != "expression":
            raise _unreadable(gold)


def grade_latex(answer_text: str, gold: str, has_think_form: bool) -> Verdict:
    """Judge the text after the thought against a LaTeX gold answer; no answer where it takes longer than the limit."""
    wrong = Verdict(False, False, None)
    if not gold.strip():
        raise _unreadable(gold)
    span = last_span(answer_text)
    announced = _announced(answer_text, span)
    if not announced:
        return wrong
    strict_form = has_think_form and is_answer_sentence(clean(answer_text))
    value = _plain(gold)
    if value is not None:
        if _ambiguous(answer_text):
            return wrong
        answer = _plain(announced)
        if answer is not None and (_equal(answer, value) or "%" not in gold + announced):
            lenient = _equal(answer, value)
            return Verdict(lenient and strict_form, lenient, announced)
    reply = latex_pool.pool.ask(_gold_forms(gold), _answer_forms(answer_text, announced, span))
    if reply is None:
        return wrong
    if reply["gold"] == "none":
        raise _unreadable(gold)
    return Verdict(reply["right"] and strict_form, reply["right"], reply["extracted"])


def _announced(text: str, span: Span | None) -> str:
    """What the last marker announces; after a sentence or `####` no more than its sentence."""
    if span is None:
        return text.strip()
    announced = text[span.start : span.end].strip(" \t\n:*")
    if span.marker in ("sentence", "hashes") and not _MATH.search(announced):
        announced = first_sentence(announced).strip(" *")
    return announced.removesuffix(".")


def _answer_forms(text: str, announced: str, span: Span | None) -> list[str]:
    """What Math-Verify is shown. It finds formulas by their delimiters, which an answer after a marker may lack."""
    if _MATH.search(announced):
        return [("The final answer is " if span else "") + announced[-MAX_CHARS:]]
    if span is not None and span.marker == "boxed":
        return [text[-MAX_CHARS:]]
    bare = announced.removesuffix(".")[-MAX_CHARS:]
    if span is not None:
        return [rf"\boxed{{{bare}}}"]
    return [bare, rf"\boxed{{{bare}}}"] if len(bare) <= MAX_BARE else [bare]


def _gold_forms(gold: str) -> list[str]:
    if _MATH.search(gold):
        return [gold]
    forms = [f"${gold}$"]
    if _DECIMAL_COMMA.fullmatch(gold):  # "1,22": a list to LaTeX, a number to half of the world
        forms.append(gold)
    return forms


def _plain(text: str) -> Fraction | None:
    """The value of a text that is one number, apart from delimiters and a box."""
    if len(text) > MAX_DIGITS:
        return None
    return parse_number(_DELIMITERS.sub(lambda m: m[1] or "", text).strip())


def _equal(answer: Fraction, gold: Fraction) -> bool:
    if answer == gold:
        return True
    rest = gold.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest > 1 and answer.denominator > 1 and abs(answer - gold) <= ROUNDING * abs(gold)


def _ambiguous(answer_text: str) -> bool:
    """Several values where the gold answer is one number: a list, "1 = 42", or boxes that differ."""
    text = clean(answer_text)
    span = last_span(text) or Span("none", max(0, len(text) - MAX_CHARS), len(text))
    if span.marker == "boxed" and boxes_disagree(text):
        return True
    return claims_disagree(text, span.start, span.end)


def _unreadable(gold: str) -> UserError:
    return UserError(f"gold answer {gold[:80]!r} can't be read as LaTeX: write it as \\frac{{3}}{{4}} or x^2 + 1.")
