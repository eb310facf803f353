"""Several sampled answers a problem: average@n, pass@k and maj@k, strict and lenient, with intervals over problems."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from reasonwright.chat import parse_completion
from reasonwright.evaluation.evaluate import Row
from reasonwright.evaluation.statistics import intervals_of_means, majority, pass_at_k
from reasonwright.types import AnswerKind, Problem, UserError
from reasonwright.verify import grade
from reasonwright.verify.literals import clean, parse_number
from reasonwright.verify.markers import is_answer_sentence
from reasonwright.verify.numbers import count_numbers
from reasonwright.verify.text import normalise


def measures(problems: Sequence[Problem], rows: Sequence[Row], n: int) -> dict[str, list[float]]:
    """[P] values of each measure, n rows a problem: {"average@8 strict": […], "pass@4 lenient": […], …}.

    pass@k and maj@k for k of 2, 4, 8, … and n (a majority of two is none). maj@k is the mean over the n // k disjoint
    blocks of k samples, which is unbiased. An answer that cannot be read has no vote; in the strict majority nor has
    one that is not in the whole form.
    """
    ks = sorted({2**i for i in range(1, n.bit_length()) if 2**i <= n} | ({n} if n > 1 else set()))
    values: dict[str, list[float]] = defaultdict(list)
    for at, problem in enumerate(problems):
        answers = rows[at * n : (at + 1) * n]
        votes = candidates([a["extracted"] for a in answers], problem.answer_kind)
        formed = [
            vote if in_form(a["text"], problem.answer_kind) else None for vote, a in zip(votes, answers, strict=True)
        ]
        for form, ballot in (("strict", formed), ("lenient", votes)):
            right = [bool(a[form]) for a in answers]
            values[f"average@{n} {form}"].append(fmean(right))
            for k in ks:
                values[f"pass@{k} {form}"].append(pass_at_k(n, sum(right), k))
            for k in (k for k in ks if k > 2):
                blocks = [majority(ballot[start : start + k]) for start in range(0, n - k + 1, k)]
                values[f"maj@{k} {form}"].append(fmean(c is not None and answers[c]["lenient"] for c in blocks))
    return dict(values)


def candidates(extracted: Sequence[str | None], kind: AnswerKind) -> list[int | None]:
    """For each answer the position of the first one with the same value; None where there is no answer.

    >>> candidates(["1,000", None, "7", "1000.0"], "number")
    [0, None, 2, 0]
    """
    first: dict[str, int] = {}  # by text, so that each text is compared once
    found: list[int | None] = []
    for at, text in enumerate(extracted):
        if text is None:
            found.append(None)
            continue
        if text not in first:
            same = (i for i in dict.fromkeys(first.values()) if same_answer(text, extracted[i] or "", kind))
            first[text] = next(same, at)
        found.append(first[text])
    return found


def same_answer(one: str, other: str, kind: AnswerKind) -> bool:
    """Whether two extracted answers have one value for the verifier."""
    if kind == "number":
        return (value := parse_number(one)) is not None and value == parse_number(other)
    if kind == "text":
        return normalise(one) == normalise(other)
    try:
        return grade(rf"\boxed{{{one}}}", other, kind).lenient
    except UserError:  # not to be read as LaTeX, so the same as its own text alone
        return False


def in_form(text: str, kind: AnswerKind) -> bool:
    """Whether an answer, right or wrong, is in the form that the strict verdict asks for."""
    parsed = parse_completion(text)
    if parsed.answer_text is None or not parsed.has_think_form:
        return False
    if kind == "text":
        return is_answer_sentence(parsed.answer_text, any_answer=True)
    answer = clean(parsed.answer_text)
    return is_answer_sentence(answer) and (kind != "number" or count_numbers(answer) == 1)


def summarise_sampled(
    problems: Sequence[Problem], rows: Sequence[Row], n: int, seconds: float
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """The figures of n sampled answers a problem, and each problem's values (see `measures`)."""
    values = measures(problems, rows, n)
    by: dict[int, list[float]] = defaultdict(list)
    for problem, share in zip(problems, values[f"average@{n} strict"], strict=True):
        if problem.difficulty is not None:
            by[problem.difficulty].append(share)
    return {
        "problems": len(problems),
        "samples": n,
        "measures": means(values),
        "mean_tokens": fmean(r["tokens"] for r in rows),
        "truncated": fmean(r["finish_reason"] == "length" for r in rows),
        "seconds": seconds,
        "by_difficulty": {
            str(d): {"n": len(v)} | means({f"average@{n} strict": v})[f"average@{n} strict"]
            for d, v in sorted(by.items())
        },
    }, values


def means(values: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """{"pass@4 strict": {"mean": 0.5, "ci95": (0.4, 0.6)}} of [P] values each."""
    intervals = intervals_of_means(np.array(list(values.values())).T)
    return {
        name: {"mean": fmean(v), "ci95": interval}
        for (name, v), interval in zip(values.items(), intervals, strict=True)
    }
