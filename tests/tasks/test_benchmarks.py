from __future__ import annotations

from pathlib import Path

import pytest

from reasonwright.tasks import load_task
from reasonwright.types import UserError


def test_math500_is_latex_by_level(fixtures: Path) -> None:
    problems = load_task(f"math500:{fixtures / 'math500.jsonl'}").problems("eval")
    assert [(p.answer, p.difficulty, p.answer_kind) for p in problems] == [
        ("\\frac{3}{4}", 1, "latex"),
        ("(3,3)", 2, "latex"),
        ("5\\sqrt{2}", 3, "latex"),
    ]


def test_svamp_questions_are_whole_sentences(fixtures: Path) -> None:
    problems = load_task(f"svamp:{fixtures / 'svamp.json'}").problems("eval")
    assert [p.question for p in problems] == [
        "A shelf holds 23 jars. If 8 jars are taken down, how many jars are on the shelf?",
        "Each box has 12 pens. There are 4 boxes. How many pens are there?",
        "Ben had 9 coins. He lost 2 of them. How many coins has he now?",
    ]
    assert [p.answer for p in problems] == ["15", "48", "7"]


def test_gsm_hard_targets_are_without_the_rounding_of_floats(fixtures: Path) -> None:
    problems = load_task(f"gsm_hard:{fixtures / 'gsm_hard.jsonl'}").problems("eval")
    assert [p.answer for p in problems] == ["-817263", "13.3333333333333", "0.0000125", "0.8"]


@pytest.mark.parametrize("name", ["math500.jsonl", "svamp.json", "gsm_hard.jsonl"])
@pytest.mark.parametrize("split", ["pretrain", "sft", "rl"])
def test_they_only_measure(fixtures: Path, name: str, split: str) -> None:
    task = load_task(f"{Path(name).stem}:{fixtures / name}")
    with pytest.raises(UserError, match="evaluation only"):
        task.problems(split)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "rows"), [("math500", 500), ("svamp", 1000), ("gsm_hard", 1319)])
def test_all_real_rows(shared_data: Path, name: str, rows: int) -> None:
    problems = load_task(f"{name}:{shared_data / name}").problems("eval")
    assert len(problems) == len({p.id for p in problems}) == len({p.question for p in problems}) == rows
    if name == "svamp":
        assert all(p.answer.isdigit() for p in problems)
        assert problems[0].question.endswith("25 dollars on each pack, how much do you have to pay to buy each pack?")
    if name == "gsm_hard":
        assert sum("." in p.answer for p in problems) == 299  # 303 in the file, 4 of them by rounding alone
        assert "3244047.1" in {p.answer for p in problems}
        assert sum(p.answer.startswith("-") for p in problems) == 146
