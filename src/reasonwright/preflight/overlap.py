"""Evaluation questions that also stand in training, by n-grams of words.

Generated problems share their wording by design, and a question with other numbers has another answer. So a question
counts as known only where its numbers are the training question's too: `exact` in normal form, or `near`, with the same
numbers and half of its n-grams in one training question. `worded_alike` counts common n-grams whatever the numbers, as
decontamination in the field does; it is told and not judged.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reasonwright.tasks.splits import normalise_question

N = 8
"""Words of an n-gram, as in the decontamination of Llama 3 and Tulu 3; a shorter question is one n-gram."""
HALF = 0.5
"""Share of a question's n-grams that makes it known; one changed word costs 8 of some 30 to 60. As the numbers must be
equal too, no question is near among GSM8K's 1,319 (trained: 7,473), SVAMP's 1,000 (GSM8K's 7,473) or the demo's 2,000
(4,176)."""
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d]+|[^\w\s.,;:!?'\"]")

Numbers = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Questions of the evaluation that training holds too."""

    evaluated: int
    trained: int
    """Different questions of each side."""
    exact: list[str]
    """The questions, as they are in the evaluation."""
    near: list[str]
    worded_alike: int


def find_overlap(training: Sequence[str], evaluation: Sequence[str]) -> Overlap:
    """Compare two lists of questions. The index is that of the evaluation, so that memory does not grow with training.

    >>> find_overlap(["What is 2 + 3?"], ["what is 2 + 3", "What is 2 - 3?"]).exact
    ['what is 2 + 3']
    """
    asked = {normalise_question(q): q for q in evaluation}
    grams = {text: frozenset(_grams(_TOKEN.findall(text))) for text in asked}
    holders: defaultdict[tuple[Numbers, str], list[str]] = defaultdict(list)  # which questions hold an n-gram
    for text in asked:
        numbers = _numbers(_TOKEN.findall(text))
        for gram in grams[text]:
            holders[numbers, gram].append(text)
    wanted = frozenset().union(*grams.values())
    seen: set[str] = set()
    best: Counter[str] = Counter()
    known = {normalise_question(q) for q in training}
    for text in known:
        tokens = _TOKEN.findall(text)
        numbers, own = _numbers(tokens), wanted.intersection(_grams(tokens))
        seen |= own
        common = Counter(holder for gram in own for holder in holders.get((numbers, gram), ()))
        best |= common
    exact = [text for text in asked if text in known]
    near = [text for text in asked if text not in known and best[text] >= HALF * len(grams[text])]
    return Overlap(
        evaluated=len(asked),
        trained=len(known),
        exact=[asked[text] for text in exact],
        near=[asked[text] for text in near],
        worded_alike=sum(len(g & seen) >= HALF * len(g) for g in grams.values()),
    )


def _grams(tokens: Sequence[str]) -> Iterator[str]:
    for at in range(max(1, len(tokens) - N + 1)):
        yield " ".join(tokens[at : at + N])


def _numbers(tokens: Sequence[str]) -> Numbers:
    return tuple(sorted(token for token in tokens if token[0].isdigit()))
