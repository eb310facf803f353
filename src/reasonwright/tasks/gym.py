"""reasoning_gym: the generators of the library of that name (extra `gym`), judged by our verifier.

Its own scorers are never called: several evaluate the answer as code, others give marks for naming the gold anywhere.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reasonwright.chat import render_completion
from reasonwright.tasks.base import Split
from reasonwright.tasks.splits import normalise_question, question_id, split_of
from reasonwright.types import AnswerKind, Problem, UserError
from reasonwright.verify import check_gold, grade

_CHUNK = 500
_PATIENCE = 20
"""How many more answers that can't be judged than such that can, before a generator is given up."""
_SHARE: dict[Split, float] = {"pretrain": 0.6, "sft": 0.1, "rl": 0.2, "eval": 0.1}

MANY_ANSWERS = frozenset(
    """
    codeio countdown cryptarithm group_anagrams intermediate_integration jugs knight_swap n_queens
    palindrome_generation palindrome_partitioning polynomial_equations polynomial_multiplication power_function
    puzzle24 quantum_lock sentence_reordering shortest_path simple_integration sokoban tower_of_hanoi word_ladder
    """.split()  # noqa: SIM905
)
"""Tasks where many texts are right and the generator names one: only their own scorers could judge them."""

FORM_MATTERS = frozenset({"base_conversion", "fraction_simplification"})
"""Tasks where an equal value in another form is wrong (52/104 for 1/2, decimal for hexadecimal): compared as text."""


class ReasoningGym:
    """`count` problems of one generator, with its default settings.

    A question belongs to one split for good, by the hash of its normal form, and is given once. Draws are bounded: a
    generator that has too few different questions for `count` is a UserError. So are an unknown name, a missing
    `count`, and generators whose answers can't be judged as one line of text; a single such answer is passed over.
    """

    def __init__(self, generator: str) -> None:
        self.generator = generator
        self.name = f"reasoning_gym:{generator}"
        _require(generator)

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        """`count` different problems of a split, the same for the same seed."""
        if count is None:
            raise UserError(f"{self.name} makes as many problems as it is asked for; give a count")
        found: dict[str, Problem] = {}
        unjudgeable = 0
        draws = int((4 * count + 500) / _SHARE[split])
        entries = self._entries(split, seed, draws)
        while len(found) < count:
            entry = next(entries, None)
            if entry is None:
                raise UserError(
                    f"{self.name} has too few different questions: {len(found)} for {split} in {draws} draws, "
                    f"{count} wanted; ask for fewer"
                )
            question = _text(entry, "question", self.name)
            key = normalise_question(question)
            if split_of(question) != split or key in found:
                continue
            problem = self._problem(question, entry)
            if _is_judgeable(problem):
                found[key] = problem
                continue
            unjudgeable += 1
            if unjudgeable > _PATIENCE + len(found):
                raise UserError(
                    f"{self.name} answers with more than a sentence ({problem.answer[:40]!r}); choose another task"
                )
        return list(found.values())

    def _entries(self, split: Split, seed: int, draws: int) -> Iterator[dict[str, Any]]:
        """Entries in chunks, each chunk of a data set with its own seed: the library's seeds n and n + 1 give nearly
        the same questions, and some data sets refuse to be large."""
        for chunk in range(-(-draws // _CHUNK)):
            digest = hashlib.sha256(f"{self.generator}:{split}:{seed}:{chunk}".encode()).digest()
            chunk_seed = int.from_bytes(digest[:4], "big") // 2
            with _global_random(chunk_seed):
                dataset = _create(self.generator, chunk_seed)
            for index in range(min(_CHUNK, draws - chunk * _CHUNK)):
                with _global_random(chunk_seed + index):
                    entry = dataset[index]
                yield entry

    def _problem(self, question: str, entry: dict[str, Any]) -> Problem:
        gold = _text(entry, "answer", self.name)
        kind = self._kind(gold)
        if kind == "text":
            gold = gold.removesuffix(".") or gold  # the sentence of the answer brings its own
        identity = question_id(question)
        solution = _solution(entry.get("metadata") or {})
        return Problem(f"{self.name}/{identity}", question, gold, solution, answer_kind=kind)

    def _kind(self, gold: str) -> AnswerKind:
        if self.generator in FORM_MATTERS or " " in gold:
            return "text"
        try:
            check_gold(gold, "number")
        except UserError:
            return "text"
        return "number"


def _is_judgeable(problem: Problem) -> bool:
    """Whether the verifier accepts the gold answer, said in the sentence that ends a completion."""
    gold, kind = problem.answer, problem.answer_kind
    return "\n" not in gold and grade(render_completion("x", gold), gold, kind).strict


def _text(entry: dict[str, Any], column: str, task: str) -> str:
    value = entry[column]
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{task} has no single text {column}, so it can't be judged here; choose another task")
    return value.strip()


def _solution(metadata: dict[str, Any]) -> str | None:
    """The worked solution that gsm_symbolic's entries carry, without its last line `#### n`."""
    worked = metadata.get("answer_cot")
    if not isinstance(worked, str):
        return None
    lines = [line for line in worked.strip().splitlines() if not line.lstrip().startswith("####")]
    return "\n".join(lines).strip() or None


def _require(generator: str) -> None:
    """Refuse what can't be generated or judged, before anything is drawn."""
    if importlib.util.find_spec("reasoning_gym") is None:
        raise UserError("reasoning_gym tasks need `pip install 'reasonwright[gym]'`")
    import reasoning_gym  # noqa: F401  (fills the table of names)
    from reasoning_gym.factory import DATASETS

    if generator not in DATASETS:
        near = difflib.get_close_matches(generator, DATASETS, n=1, cutoff=0)
        raise UserError(f"reasoning_gym has no task {generator!r}; the nearest is {near[0]!r}")
    if generator in MANY_ANSWERS:
        raise UserError(f"reasoning_gym:{generator} has many right answers to one question, so it can't be judged here")
    if generator == "composite":
        raise UserError("reasoning_gym:composite is a mixture of other tasks; name one of them")


def _create(generator: str, seed: int) -> Any:
    from reasoning_gym import create_dataset

    return create_dataset(generator, seed=seed, size=_CHUNK)


@contextmanager
def _global_random(seed: int) -> Iterator[None]:
    """A few generators draw from Python's global random numbers: seed them, and leave the caller's as they were."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
