from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reasonwright.tasks import Split, load_task
from reasonwright.tasks.splits import split_of
from reasonwright.types import UserError

MANY = [{"question": f"What is {n} + 1?", "answer": n + 1} for n in range(300)]


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_all_forms(fixtures: Path, tmp_path: Path) -> None:
    path = tmp_path / "sft.jsonl"
    path.write_bytes((fixtures / "jsonl.jsonl").read_bytes())
    rows = {problem.id: problem for problem in load_task(f"jsonl:{path}").problems("sft")}
    assert list(rows) == [f"jsonl/{name}" for name in "abcdefg8"]
    answers = [problem.answer for problem in rows.values()]
    assert answers == ["12", "0.75", "3/2", "Paris", "56", "13", "19", "250"]
    assert rows["jsonl/a"].solution == "80 x 0.15 = 12."
    assert rows["jsonl/d"].answer_kind == "text"
    assert rows["jsonl/g"].question == "What is 30 - 11?"
    assert rows["jsonl/g"].completion == "<think>\n30 - 11 = 19\n</think>\n\nThe answer is 19."


@pytest.mark.parametrize(
    ("written", "gold"),
    [
        ("1", "1"),
        ('"1"', "1"),
        ("1.0", "1"),
        ('" 1 "', "1"),
        ("-0.50", "-0.5"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("0.1000000000000000055", "0.1000000000000000055"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
    ],
)
def test_an_answer_keeps_its_value_whatever_its_type(tmp_path: Path, written: str, gold: str) -> None:
    path = tmp_path / "eval.jsonl"
    path.write_text(f'{{"question": "x?", "answer": {written}}}\n')
    assert load_task(f"jsonl:{path}").problems("eval")[0].answer == gold


def test_a_row_without_an_answer_serves_sft_alone(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Say hello.", "completion": "Hello, all 3 of you."},
        {"prompt": "1+1?", "completion": "It is 2."},
    ]
    path = _write(tmp_path / "train.jsonl", rows)
    assert [problem.answer for problem in load_task(f"jsonl:{path}").problems("sft")] == ["", ""]
    with pytest.raises(UserError, match=r"train\.jsonl:1: the row has no `answer`"):
        load_task(f"jsonl:{path}").problems("rl")


def test_a_file_of_another_name_is_divided_by_hash(tmp_path: Path) -> None:
    task = load_task(f"jsonl:{_write(tmp_path / 'mine.jsonl', MANY)}")
    sft, rl, test = ({p.question for p in task.problems(split)} for split in ("sft", "rl", "eval"))
    assert sft == rl
    assert sft.isdisjoint(test)
    assert len(sft) + len(test) == 300
    assert 15 <= len(test) <= 45
    shuffled = load_task(f"jsonl:{_write(tmp_path / 'other.jsonl', MANY[::-1])}")
    assert {p.question for p in shuffled.problems("eval")} == test


def test_a_split_without_rows_is_an_error(tmp_path: Path) -> None:
    task = load_task(f"jsonl:{_write(tmp_path / 'mine.jsonl', MANY[:1])}")
    empty: Split = "sft" if split_of(str(MANY[0]["question"])) == "eval" else "eval"
    with pytest.raises(UserError, match=f"none of its rows falls into {empty}"):
        task.problems(empty)


def test_a_folder_has_a_file_for_each_split(tmp_path: Path) -> None:
    _write(tmp_path / "train.jsonl", MANY[:5])
    _write(tmp_path / "rl.jsonl", MANY[5:7])
    _write(tmp_path / "test.jsonl", MANY[7:8])
    task = load_task(f"jsonl:{tmp_path}")
    assert [len(task.problems(split)) for split in ("sft", "rl", "eval")] == [5, 2, 1]  # type: ignore[arg-type]
    assert [p.id for p in task.problems("rl", 1)] == ["jsonl/rl:1"]
    with pytest.raises(UserError, match="no split 'pretrain'"):
        task.problems("pretrain")


def test_a_named_file_refuses_the_other_splits(tmp_path: Path) -> None:
    path = _write(tmp_path / "test.jsonl", MANY[:3])
    assert len(load_task(f"jsonl:{path}").problems("eval")) == 3
    with pytest.raises(UserError, match="no split 'sft' \\(by the file's name\\); use eval"):
        load_task(f"jsonl:{path}").problems("sft")


def test_rows_may_repeat_where_they_have_no_id(tmp_path: Path) -> None:
    path = _write(tmp_path / "sft.jsonl", [MANY[0], MANY[0]])
    assert [p.id for p in load_task(f"jsonl:{path}").problems("sft")] == ["jsonl/sft:1", "jsonl/sft:2"]
