from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from reasonwright.tasks.splits import normalise_question, split_of, splits_of_file


def test_the_shares_are_those_stated() -> None:
    count = Counter(split_of(f"How much is {n} plus {n + 1}?") for n in range(20_000))
    shares = {split: round(count[split] / 20_000, 2) for split in count}
    assert shares == {"pretrain": 0.6, "sft": 0.1, "rl": 0.2, "eval": 0.1}


def test_a_split_never_moves() -> None:
    """Written down once: a change of the hash would let yesterday's training questions into today's evaluation."""
    assert [split_of(f"What is {n} + {n}?") for n in range(1, 9)] == [
        *("pretrain", "pretrain", "pretrain", "pretrain"),
        *("pretrain", "pretrain", "rl", "pretrain"),
    ]


@pytest.mark.parametrize("other", ["what is 2 + 3", "What  is\n2 + 3 ?", " What is “2 + 3”?", "WHAT IS 2 + 3!"])
def test_trifles_do_not_make_another_question(other: str) -> None:
    assert normalise_question(other) == normalise_question("What is 2 + 3?")
    assert split_of(other) == split_of("What is 2 + 3?")


@pytest.mark.parametrize("other", ["What is 2 - 3?", "What is 2 + 30?", "What is 2.3?", "What is #2 + 3?"])
def test_operators_numbers_and_drawings_do(other: str) -> None:
    assert normalise_question(other) != normalise_question("What is 2 + 3?")


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("train.jsonl", ("sft", "rl")),
        ("Train-v2.jsonl", ("sft", "rl")),
        ("test_hard.jsonl", ("eval",)),
        ("eval.jsonl", ("eval",)),
        ("rl.jsonl", ("rl",)),
        ("training.jsonl", None),
        ("mine.jsonl", None),
        ("7.jsonl", None),
    ],
)
def test_what_a_file_name_says(name: str, splits: tuple[str, ...] | None) -> None:
    assert splits_of_file(Path("eval") / name) == splits
