"""Programming problems: our own, and rows of one's own with `tests`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasonwright.chat import render_program
from reasonwright.tasks import is_endless, load_task
from reasonwright.tasks.splits import question_id
from reasonwright.types import Completion, Problem, UserError
from reasonwright.verify import check_gold, grade, sandbox
from reasonwright.verify.code import CodeGold, python_blocks
from reasonwright.verify.rewards import RewardScorer


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    try:
        sandbox.require()
    except UserError as error:
        pytest.skip(f"CODE NOT TESTED: {error}")


def read(tmp_path: Path, row: dict, split: str = "sft") -> Problem:
    path = tmp_path / f"{split}.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (problem,) = load_task(f"jsonl:{path}").problems(split)  # type: ignore[arg-type]
    return problem


TESTS = {"function": "half", "tests": [{"args": [3], "returns": 1.5}, {"args": [4], "returns": 2}]}
CODE = "def half(n):\n    return n / 2"


def test_our_own_problems_are_split_by_the_hash_of_the_question() -> None:
    task = load_task("code")
    splits = {split: task.problems(split) for split in ("sft", "rl", "eval")}  # type: ignore[arg-type]
    assert all(len(problems) >= 5 for problems in splits.values())
    ids = [p.id for problems in splits.values() for p in problems]
    assert len(ids) == len(set(ids)) >= 20
    assert {p.id: s for s, problems in splits.items() for p in problems}["code/" + question_id(LEAP)] == "rl"
    assert task.problems("rl", 3, seed=7) == splits["rl"][:3]
    assert not is_endless("code")
    with pytest.raises(UserError, match="no split 'pretrain'"):
        task.problems("pretrain")


LEAP = "Write a Python function `is_leap(year)` that returns True if `year` is a leap year of the Gregorian calendar."


def test_most_tests_are_not_shown() -> None:
    """An answer that knows the question's examples by heart does not pass."""
    for split in ("sft", "rl", "eval"):
        for problem in load_task("code").problems(split):  # type: ignore[arg-type]
            assert problem.question.count(" it is ") <= 1
            assert len(json.loads(problem.answer)["tests"]) >= 4


def test_a_row_with_tests(tmp_path: Path) -> None:
    row = {"question": "Halve a number.", "solution": "Divide by two.", "code": CODE, **TESTS}
    problem = read(tmp_path, row)
    assert problem.answer_kind == "code"
    assert problem.completion == render_program("Divide by two.", CODE)
    assert problem.completion == f"<think>\nDivide by two.\n</think>\n\n```python\n{CODE}\n```"
    assert grade(problem.completion, problem.answer, "code").strict
    wrong = problem.completion.replace("/", "//")
    assert not grade(wrong, problem.answer, "code").lenient
    assert read(tmp_path, {"question": "q", "solution": "A thought.", **TESTS}, "rl").completion is None
    as_prompt = read(tmp_path, {"prompt": "Halve.", "completion": render_program("x", CODE), **TESTS})
    assert grade(as_prompt.completion or "", as_prompt.answer, as_prompt.answer_kind).strict


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tests": []}, "can't be read"),
        ({"tests": "assert f(1) == 2"}, "can't be read"),
        ({"tests": [{"args": 3, "returns": 1}]}, "can't be read"),
        ({"tests": [{"args": [3]}]}, "can't be read"),
        ({"tests": [3]}, "can't be read"),
        ({"function": "two words"}, "can't be read"),
        ({"function": ""}, "`function` is empty"),
        ({"function": None}, "`function` must be text"),
    ],
)
def test_a_bad_row_names_file_line_and_form(tmp_path: Path, change: dict, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        read(tmp_path, {"question": "q", **TESTS, **change}, "rl")
    assert str(caught.value).startswith(f"{tmp_path / 'rl.jsonl'}:1: ")


def test_a_gold_answer_that_is_none() -> None:
    for gold in ("", "5", "[]", "{}", "[" * 100_000, '{"function": "f", "tests": 5}'):
        with pytest.raises(UserError):
            check_gold(gold, "code")


def test_the_last_block_of_python_is_the_answer() -> None:
    gold = CodeGold("half", TESTS["tests"]).to_text()  # type: ignore[arg-type]
    block, other = f"```python\n{CODE}\n```", "```python\nhalf = None\n```"
    verdict = {
        text: grade("<think>\nx\n</think>\n\n" + text, gold, "code")
        for text in (
            block,
            f"Here:\n{block}\nDone.",
            f"{other}\n{block}",
            f"{block}\n{other}",
            block.replace("on", "", 1),
        )
    }
    assert [(v.strict, v.lenient) for v in verdict.values()] == [(1, 1), (1, 1), (0, 1), (0, 0), (0, 0)]
    assert not grade(f"<think>\n{block}\n</think>\nNothing.", gold, "code").lenient
    assert not grade(f"<think>\n{block}", gold, "code").lenient


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```python\na\n```", ["a\n"]),
        ("```py\na\n\nb\n```\nand\n```python\nc\n```", ["a\n\nb\n", "c\n"]),
        ("```\na\n```\n```python\nb\n```", ["b\n"]),
        ("```text\n```python\n```\nx", []),  # inside another block it is text
        ("```python\na", []),
        ("```python a\n```", []),
        ("``` python\na\n```", []),
        ("  ```python\n  a\n  ```  ", ["  a\n"]),
        ("", []),
    ],
)
def test_blocks(text: str, blocks: list[str]) -> None:
    assert python_blocks(text) == blocks


def test_a_megabyte_of_fences_is_read_in_linear_time() -> None:
    assert len(python_blocks("```python\n" * 100_000)) == 0
    assert len(python_blocks("```python\n```\n" * 70_000)) == 70_000


def test_values_are_compared_as_json_has_them() -> None:
    def right(code: str, returns: object) -> bool:
        gold = CodeGold("f", [{"args": [], "returns": returns}]).to_text()
        return grade(f"```python\ndef f():\n    return {code}\n```", gold, "code").lenient

    assert right("(1, 2)", [1, 2])
    assert right("{3, 1, 2}", [1, 2, 3])
    assert right("{1: 'a'}", {"1": "a"})
    assert right("None", None)
    assert right("1.0", 1)
    assert not right("'1'", 1)
    assert not right("[2, 1]", [1, 2])
    assert not right("object()", None)
    assert right("'\\ud800'", "\ud800")


def test_the_reward_of_a_program() -> None:
    score = RewardScorer(accuracy=1.0, format=0.0, length=0.0, functions={}, max_tokens=40)
    (problem,) = load_task("code").problems("rl", 1)
    assert problem.completion is not None
    for text, reward in ((problem.completion, 1.0), (problem.completion.replace("return", "return not"), 0.0)):
        assert score(problem, Completion([1], [-1.0], text, "stop")).value == reward
