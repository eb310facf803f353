from __future__ import annotations

import random
import subprocess
import sys

import pytest

from reasonwright.tasks import load_task
from reasonwright.tasks.splits import normalise_question
from reasonwright.types import UserError

pytest.importorskip("reasoning_gym", reason="REASONING GYM NOT TESTED: the extra `gym` is not installed")

SPLITS = ("pretrain", "sft", "rl", "eval")


def test_no_question_is_in_two_splits_whatever_the_seed() -> None:
    task = load_task("reasoning_gym:basic_arithmetic")
    asked = {
        split: {normalise_question(p.question) for seed in (0, 1) for p in task.problems(split, 80, seed)}  # type: ignore[arg-type]
        for split in SPLITS
    }
    assert all(len(questions) > 80 for questions in asked.values())  # another seed brings other questions
    assert len(set().union(*asked.values())) == sum(len(questions) for questions in asked.values())


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "from reasonwright.tasks import load_task; import hashlib; "
        "names = ('chain_sum', 'list_functions'); "
        "rows = [load_task(f'reasoning_gym:{name}').problems('rl', 20, 3) for name in names]; "
        "print(hashlib.sha256(repr(rows).encode()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


def test_the_callers_random_numbers_are_left_alone() -> None:
    random.seed(4)
    state = random.getstate()
    load_task("reasoning_gym:list_functions").problems("rl", 3)
    assert random.getstate() == state


def test_more_is_a_longer_list() -> None:
    task = load_task("reasoning_gym:gcd")
    assert task.problems("rl", 30, 1)[:10] == task.problems("rl", 10, 1)
    assert len({p.id for p in task.problems("rl", 30, 1)}) == 30


def test_kinds() -> None:
    kinds = {
        name: {p.answer_kind for p in load_task(f"reasoning_gym:{name}").problems("rl", 5)}
        for name in ("chain_sum", "spell_backward", "syllogism", "fraction_simplification", "base_conversion")
    }
    assert kinds.pop("chain_sum") == {"number"}
    assert all(kind == {"text"} for kind in kinds.values())


def test_gsm_symbolic_brings_its_solutions() -> None:
    problems = load_task("reasoning_gym:gsm_symbolic").problems("sft", 8)
    assert all(p.solution and "####" not in p.solution for p in problems)


@pytest.mark.parametrize("name", ["graph_color", "rubiks_cube", "boxnet", "propositional_logic"])
def test_a_task_without_a_text_answer_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="has no single text answer"):
        load_task(f"reasoning_gym:{name}").problems("rl", 1)


def test_a_task_with_drawn_answers_is_refused() -> None:
    with pytest.raises(UserError, match="answers with more than a sentence"):
        load_task("reasoning_gym:mini_sudoku").problems("rl", 1)


def test_an_answer_is_told_without_its_period() -> None:
    problems = load_task("reasoning_gym:knights_knaves").problems("rl", 3)
    assert not [p.answer for p in problems if p.answer.endswith(".")]


@pytest.mark.parametrize("name", ["countdown", "n_queens", "composite"])
def test_a_task_that_only_its_scorer_could_judge_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"reasoning_gym:{name}"):
        load_task(f"reasoning_gym:{name}")


def test_a_count_is_needed_and_bounded() -> None:
    with pytest.raises(UserError, match="give a count"):
        load_task("reasoning_gym:chain_sum").problems("rl")
    with pytest.raises(UserError, match=r"too few different questions: .* 100 wanted"):
        load_task("reasoning_gym:coin_flip").problems("eval", 100)
