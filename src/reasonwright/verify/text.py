"""Answers that are words: compared after normalisation."""

from __future__ import annotations

import re

from reasonwright.types import Verdict
from reasonwright.verify.markers import boxed_spans, is_answer_sentence, last_span

_WRAPPED = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}")
_AROUND = " \"'`*_“”‘’"


def normalise(text: str) -> str:
    r"""Case folded, white space collapsed; quotes, bold, `\text{…}` and a final period taken off.

    >>> normalise(' **"True".** ')
    'true'
    """
    plain = _collapse(text)
    bare = plain.strip(_AROUND).removesuffix(".").strip(_AROUND)
    if wrapped := _WRAPPED.fullmatch(bare):
        bare = wrapped[1].strip(_AROUND).removesuffix(".")
    return bare


def _same(answer: str, gold: str) -> bool:
    right = normalise(gold)
    if right and normalise(answer) == right:
        return True
    return _collapse(answer).removesuffix(".") == _collapse(gold)  # a gold of nothing but quotes or periods


def _collapse(text: str) -> str:
    return " ".join(text.split()).casefold()


def grade_text(answer_text: str, gold: str, has_think_form: bool) -> Verdict:
    """Compare what follows the last marker (the whole text where there is none) with the gold."""
    boxes = boxed_spans(answer_text)
    if len(boxes) > 1 and len({normalise(answer_text[box.start : box.end]) for box in boxes}) > 1:
        return Verdict(False, False, None)
    span = last_span(answer_text)
    extracted = (answer_text[span.start : span.end] if span else answer_text).strip()
    if not extracted:
        return Verdict(False, False, None)
    lenient = _same(extracted, gold)
    return Verdict(lenient and has_think_form and is_answer_sentence(answer_text, any_answer=True), lenient, extracted)
