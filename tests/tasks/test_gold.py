"""Of every task: the gold answer is worth 1, junk nothing, and a gold that only the thought names is worth nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonwright.chat import render_completion
from reasonwright.tasks import TASKS, load_task
from reasonwright.tasks.base import Split
from reasonwright.types import Problem, UserError
from reasonwright.verify import grade

JUNK = [
    "",
    "The answer is",
    "<think>",
    "<think>\n{gold}",
    "<think>\n{gold}\n</think>",
    "<think>\nx\n</think>\n\nThe answer is {gold}, 987654321987.",
    "<think>\nx\n</think>\n\nThe answer is 987654321987.",
    "<think>\nThe answer is {gold}.\n</think>\n\nThe answer is none of these.",
    "The answer is x/0.",
    "9" * 5000,
]
GYM = """
    chain_sum gsm_symbolic spell_backward fraction_simplification syllogism leg_counting prime_factorization
    calendar_arithmetic decimal_chain_sum caesar_cipher time_intervals knights_knaves letter_jumble
    """.split()  # noqa: SIM905
CODE = [  # the same for programs; the gold is Python here
    "",
    "```python",
    "<think>\n```python\n{gold}\n```\n</think>",
    "<think>\n```python\n{gold}\n```",
    "<think>\nx\n</think>\n\n```python\n{gold}",
    "<think>\nx\n</think>\n\n{gold}",
    "<think>\nx\n</think>\n\n```\n{gold}\n```",
    "<think>\nx\n</think>\n\n```python\n{gold}\n```\n```python\npass\n```",
    "<think>\nx\n</think>\n\n```python\n{gold}\n1/0\n```",
    "<think>\nx\n</think>\n\n```python\n" + "9" * 50_000 + "\n```",
]
GENERATED = ["word_problems", "word_problems_clean", "word_problems_long", *(f"reasoning_gym:{name}" for name in GYM)]
FILES = ["gsm8k:gsm8k", "jsonl:jsonl.jsonl", "math500:math500.jsonl", "svamp:svamp.json", "gsm_hard:gsm_hard.jsonl"]


def _strict(completion: str, problem: Problem) -> bool:
    return grade(completion, problem.answer, problem.answer_kind).strict


def _check(problem: Problem) -> None:
    thought = problem.solution or "x"
    completion = problem.completion or render_completion(thought, problem.answer)
    assert _strict(completion, problem), (problem, completion)
    wrong = render_completion(f"{thought}\nThe answer is {problem.answer}.", "987654321987")
    assert not _strict(wrong, problem), problem


def _problems(spec: str) -> list[Problem]:
    splits: tuple[Split, ...] = ("eval",) if spec == "word_problems_long" else ("sft", "rl", "eval")
    return [problem for split in splits for problem in load_task(spec).problems(split, 20)]


@pytest.mark.parametrize("spec", GENERATED)
def test_generated(spec: str) -> None:
    if spec.startswith("reasoning_gym"):
        pytest.importorskip("reasoning_gym", reason="REASONING GYM NOT TESTED: the extra `gym` is not installed")
    problems = _problems(spec)
    assert problems == _problems(spec)
    for problem in problems:
        _check(problem)


def _from_file(fixtures: Path, spec: str) -> list[Problem]:
    name, _, file = spec.partition(":")
    task = load_task(f"{name}:{fixtures / file}")
    splits: tuple[Split, ...] = ("sft", "eval") if name in ("gsm8k", "jsonl") else ("eval",)
    return [problem for split in splits for problem in task.problems(split)]


@pytest.mark.parametrize("spec", FILES)
def test_from_files(fixtures: Path, spec: str) -> None:
    for problem in _from_file(fixtures, spec):
        _check(problem)


@pytest.mark.parametrize("spec", FILES + GENERATED)
def test_junk_is_worth_nothing(fixtures: Path, spec: str) -> None:
    if spec.startswith("reasoning_gym"):
        pytest.importorskip("reasoning_gym", reason="REASONING GYM NOT TESTED: the extra `gym` is not installed")
    problems = _from_file(fixtures, spec) if spec in FILES else _problems(spec)
    for problem in problems[:3]:
        for junk in JUNK:
            completion = junk.replace("{gold}", problem.answer)
            assert not _strict(completion, problem), (problem, completion)


def test_programs() -> None:
    """Every worked solution passes its tests; ten ways not to answer with it do not."""
    try:
        task = load_task("code")
    except UserError as error:
        pytest.skip(f"CODE NOT TESTED: {error}")
    problems = [problem for split in ("sft", "rl", "eval") for problem in task.problems(split)]
    assert len(problems) >= 20
    for problem in problems:
        assert problem.completion is not None
        assert _strict(problem.completion, problem), problem.question
    problem = problems[0]
    gold = problem.completion.partition("```python\n")[2].removesuffix("\n```")
    for junk in CODE:
        assert not _strict(junk.replace("{gold}", gold), problem), junk


def test_no_task_is_forgotten() -> None:
    assert {spec.partition(":")[0] for spec in [*GENERATED, *FILES, "code"]} == set(TASKS)


@pytest.mark.parametrize("name", ["gsm8k", "svamp", "gsm_hard"])
def test_every_real_row(shared_data: Path, name: str) -> None:
    task = load_task(f"{name}:{shared_data / name}")
    splits: tuple[Split, ...] = ("sft", "eval") if name == "gsm8k" else ("eval",)
    for split in splits:
        for problem in task.problems(split):
            _check(problem)


def test_real_latex(shared_data: Path) -> None:
    """Each costs math-verify some milliseconds in another process: every tenth."""
    for problem in load_task(f"math500:{shared_data / 'math500'}").problems("eval")[::10]:
        _check(problem)
