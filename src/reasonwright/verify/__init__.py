"""Judging answers: extraction and equivalence, bounded in time, written for hostile input.

Nothing here evaluates model text. LaTeX beyond plain numbers goes to Math-Verify in a process that can be killed;
programs run in a sandbox or not at all.
"""

from __future__ import annotations

from reasonwright.chat import parse_completion
from reasonwright.types import AnswerKind, UserError, Verdict
from reasonwright.verify.code import check_code, grade_code
from reasonwright.verify.latex import check_latex, grade_latex
from reasonwright.verify.literals import clean, parse_number
from reasonwright.verify.markers import is_answer_sentence, last_span
from reasonwright.verify.numbers import boxes_disagree, count_numbers, first_number, last_number
from reasonwright.verify.text import grade_text

__all__ = ["Verdict", "check_gold", "grade"]


def grade(completion: str, gold: str, kind: AnswerKind = "number") -> Verdict:
    """Judge one completion.

    Accepts any text as `completion`; what stands up to the last `</think>` is never looked at. `gold` must pass
    `check_gold`, else `UserError` is raised: an unreadable gold answer must not decide anything. With kind "latex"
    raises `UserError` where the extra `math` is missing, and `RuntimeError` where its worker process dies twice. Kind
    "code" does the same for the sandbox.

    >>> grade("<think>\\n8 x 2 = 16\\n</think>\\n\\nThe answer is 16.", "16")
    Verdict(strict=True, lenient=True, extracted='16')
    """
    parsed = parse_completion(completion)
    if parsed.answer_text is None:  # a thought that never ended
        check_gold(gold, kind)
        return Verdict(False, False, None)
    if kind == "number":
        return _grade_number(parsed.answer_text, gold, parsed.has_think_form)
    if kind == "text":
        check_gold(gold, kind)
        return grade_text(parsed.answer_text, gold, parsed.has_think_form)
    if kind == "latex":
        return grade_latex(parsed.answer_text, gold, parsed.has_think_form)
    if kind == "code":
        return grade_code(parsed.answer_text, gold, parsed.has_think_form)
    raise ValueError(f"answer kind {kind!r}: expected number, text, latex or code")


def check_gold(gold: str, kind: AnswerKind) -> None:
    """Raise `UserError` with one sentence where `gold` can't be read as an answer of this kind."""
    if kind == "number":
        if parse_number(gold) is None:
            raise UserError(f"gold answer {gold[:80]!r} is not one number: write it as 12, -0.5, 3/4 or 1,000.")
    elif not gold.strip():
        raise UserError("gold answer is empty: every problem needs the answer that completions are compared with.")
    elif kind == "latex":
        check_latex(gold)
    elif kind == "code":
        check_code(gold)


def _grade_number(answer_text: str, gold: str, has_think_form: bool) -> Verdict:
    right = parse_number(gold)
    if right is None:
        check_gold(gold, "number")
    text = clean(answer_text)
    span = last_span(text)
    number = first_number(text, span.start, span.end) if span else last_number(text)
    if number is None or (span and boxes_disagree(text)):
        return Verdict(False, False, None)
    lenient = number.value == right
    strict = lenient and has_think_form and is_answer_sentence(text) and count_numbers(text) == 1
    return Verdict(strict, lenient, number.text)
