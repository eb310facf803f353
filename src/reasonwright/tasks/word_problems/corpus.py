"""What the embedded base models are pretrained on: an endless stream of short documents, generated as it is read.

There are drills of arithmetic within the ranges of the word problems, word problems answered in several ways, and
documents with several questions, so that a few-shot prompt is nothing new. No tags anywhere, as in a real base model,
and only questions of the split "pretrain".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

from reasonwright.chat import ANSWER_MARKER, STEP_BY_STEP
from reasonwright.tasks.word_problems.arithmetic import Step
from reasonwright.tasks.word_problems.drills import drill
from reasonwright.tasks.word_problems.story import Plot
from reasonwright.tasks.word_problems.styles import STYLES
from reasonwright.tasks.word_problems.task import draw_questions

KINDS: Mapping[str, float] = {"drill": 0.16, "head": 0.28, "problem": 0.51, "several": 0.05}
"""Shares of documents. head: a problem of one step done in the head, its answer bare."""
PARTS: Mapping[str, Mapping[str, float]] = {
    "all": KINDS,
    "ages": {"drill": 0.12, "head": 0.20, "problem": 0.38, "several": 0.05, "ages": 0.25},
    "older": {"drill": 0.064, "head": 0.112, "problem": 0.204, "several": 0.02, "older": 0.6},
}
"""Shares of documents in the corpus' parts, read one after the other. ages: a problem about people's ages. older: such
a problem of one or two steps, in full. "Ann is 5 years older than Bob" adds or subtracts by whose age is known: an
exclusive or, not learned at all from "all", and soon where it is met often (LOG.md)."""

ANSWER_STYLES: Mapping[str, float] = {
    "bare": 0.06,
    "last": 0.10,
    "terse": 0.17,
    "full": 0.51,
    "check": 0.08,
    "slip": 0.08,
}
"""Shares of the ways in which a word problem is answered."""
STEP_BY_STEP_SHARE = 0.5
"""Share of the full, checked and corrected answers that begin with "Let's think step by step."."""
_ANNOUNCED = ("full", "check", "slip")

AGES: Plot = ("age", "p")
MIN_STEPS, MAX_STEPS = 1, 8
HEAD_MAX_STEPS = 1
SEVERAL_MAX_STEPS = 3
OLDER_MAX_STEPS = 2
MAX_WORDS = 240
"""Of a document with several questions."""


def documents(seed: int, shard: int = 0, part: str = "all") -> Iterator[str]:
    """An endless stream of documents, the same for the same seed, shard and part."""
    rng = Random(f"corpus/{seed}/{shard}")
    long = draw_questions(Random(f"corpus-questions/{seed}/{shard}"), "pretrain", MIN_STEPS, MAX_STEPS)
    head = draw_questions(Random(f"corpus-head/{seed}/{shard}"), "pretrain", MIN_STEPS, HEAD_MAX_STEPS)
    short = draw_questions(Random(f"corpus-short/{seed}/{shard}"), "pretrain", MIN_STEPS, SEVERAL_MAX_STEPS)
    ages = draw_questions(Random(f"corpus-ages/{seed}/{shard}"), "pretrain", MIN_STEPS, MAX_STEPS, lambda _: AGES)
    older = draw_questions(
        Random(f"corpus-older/{seed}/{shard}"), "pretrain", MIN_STEPS, OLDER_MAX_STEPS, lambda _: AGES
    )
    while True:
        kind = _choose(rng, PARTS[part])
        if kind == "drill":
            yield drill(rng)
        elif kind in ("problem", "ages"):
            yield question_and_answer(*next(long if kind == "problem" else ages)[1:], _choose(rng, ANSWER_STYLES), rng)
        elif kind == "older":
            yield question_and_answer(*next(older)[1:], "full", rng)
        elif kind == "head":
            yield question_and_answer(*next(head)[1:], "bare", rng)
        else:
            style = _choose(rng, ANSWER_STYLES)  # one for all, as in a few-shot prompt
            announced = rng.random() < STEP_BY_STEP_SHARE
            count = rng.randint(2, 3)
            parts = [question_and_answer(*next(short)[1:], style, rng, announced) for _ in range(count)]
            text = "\n\n".join(parts)
            yield text if len(text.split()) <= MAX_WORDS else "\n\n".join(parts[:2])


def question_and_answer(
    question: str, steps: list[Step], style: str, rng: Random, announced: bool | None = None
) -> str:
    """One question with its answer in a style; the answer always ends in the line "The answer is N."."""
    written = STYLES[style](steps, rng)
    work = "" if style == "bare" else written.text + "\n"
    if announced is None:
        announced = rng.random() < STEP_BY_STEP_SHARE
    start = f"{STEP_BY_STEP}\n" if announced and style in _ANNOUNCED else ""
    return f"Question: {question}\nAnswer: {start}{work}{ANSWER_MARKER} {written.answer}."


def _choose(rng: Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
