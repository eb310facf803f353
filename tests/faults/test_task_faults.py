"""Every task gives the same bytes in every process, and no question of training in evaluation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reasonwright.tasks import load_task
from reasonwright.tasks.base import Split
from reasonwright.tasks.splits import normalise_question
from reasonwright.types import UserError

GENERATED = ["word_problems", "word_problems_clean", "code"]
GYM = ["chain_sum", "spell_backward", "syllogism", "knights_knaves", "caesar_cipher", "gsm_symbolic"]
FILES = ["gsm8k:gsm8k", "jsonl:jsonl.jsonl", "math500:math500.jsonl", "svamp:svamp.json", "gsm_hard:gsm_hard.jsonl"]
SPLITS: tuple[Split, ...] = ("sft", "rl", "eval")

DUMP = """
import hashlib, sys
from reasonwright.tasks import load_task
for spec in sys.argv[1:]:
    text = ""
    for split in ("pretrain", "sft", "rl", "eval"):
        for seed in (0, 1):
            try:
                text += repr(load_task(spec).problems(split, 30, seed))
            except Exception as error:
                text += f"{type(error).__name__}: {error}"
    print(spec, len(text) > 500, hashlib.sha256(text.encode()).hexdigest())
"""


def specs(fixtures: Path) -> list[str]:
    files = [f"{name}:{fixtures / file}" for name, _, file in (spec.partition(":") for spec in FILES)]
    gym = [f"reasoning_gym:{name}" for name in GYM]
    return [*GENERATED, "word_problems_long", *gym, *files]


@pytest.mark.faults
def test_the_same_bytes_in_every_process(fixtures: Path) -> None:
    """Whatever the seed of Python's hashes, the locale and the time zone."""
    outputs = []
    for changes in (
        {"PYTHONHASHSEED": "1", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", DUMP, *specs(fixtures)],
            capture_output=True,
            text=True,
            timeout=200,
            env=os.environ | changes,
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert outputs[0].count(" True ") >= 4


@pytest.mark.parametrize(
    "spec", [*GENERATED, *(pytest.param(f"reasoning_gym:{name}", marks=pytest.mark.faults) for name in GYM)]
)
def test_no_question_is_in_training_and_in_evaluation(spec: str) -> None:
    """Over several seeds: the splits are apart whatever was drawn."""
    try:
        task = load_task(spec)
    except UserError as error:
        pytest.skip(f"{spec} NOT TESTED: {error}")
    questions = {
        split: {normalise_question(p.question) for seed in (0, 1) for p in task.problems(split, 150, seed)}
        for split in SPLITS
    }
    assert all(questions.values())
    assert not questions["eval"] & (questions["sft"] | questions["rl"])
    assert not questions["sft"] & questions["rl"]


def test_files_are_divided_without_overlap(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f'{{"question": "What is {i} + 1?", "answer": {i + 1}}}\n' for i in range(300)))
    task = load_task(f"jsonl:{path}")
    held_out = {p.question for p in task.problems("eval")}
    assert len(held_out) > 10
    assert not held_out & {p.question for split in ("sft", "rl") for p in task.problems(split)}  # type: ignore[arg-type]
