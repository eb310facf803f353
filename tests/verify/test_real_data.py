"""Labels and answers that others wrote. Rows of our own in the same form always run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasonwright.chat import render_completion
from reasonwright.verify import check_gold, grade

OWN_SOLUTIONS = [
    ("Tom has 3 + 4 = <<3+4=7>>7 eggs.\nA: 7", "7", True),
    ("He pays 2,000 * 3 = $<<2000*3=6000>>6000 a year.\nA: 6,000", "6000", True),
    ("He pays 6000 / 12 = 500 a month.\nA: 500", "6000", False),
    ("Half of 65 is 65 / 2 = <<65/2=32.5>>32.5\nA: 32.5", "32", False),
    ("She owes 3 - 5 = -2\nA: -2", "2", False),
    ("So x = 10 + y and then it is cut", "2", False),
    ("A: -1.8 billion", "2", False),
]
FORMS = [
    "{head}\nThe answer is {answer}.",
    "{head}\n#### {answer}",
    "{head}\n$\\boxed{{{answer}}}$",
    "{head}\nA: {answer}",
]


def rewritten(solution: str, form: str) -> str:
    """The solution with its last line `A: n` in another form; one that was cut before that line stays as it is."""
    head, found, answer = solution.rstrip().rpartition("\nA: ")
    return form.format(head=head, answer=answer) if found and "\n" not in answer else solution


@pytest.mark.parametrize("form", FORMS)
def test_own_solutions(form: str) -> None:
    for solution, gold, label in OWN_SOLUTIONS:
        assert grade(rewritten(solution, form), gold).lenient is label, solution


@pytest.mark.parametrize("form", FORMS)
def test_example_model_solutions(shared_data: Path, form: str) -> None:
    """5,276 labelled solutions of four models: no disagreement, in any of the forms (the last is the file as it is)."""
    labels = disagreements = 0
    for line in (shared_data / "gsm8k" / "example_model_solutions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A: ")[2]
        for model in row.keys() - {"question", "ground_truth"}:
            labels += 1
            verdict = grade(rewritten(row[model]["solution"], form), gold)
            disagreements += verdict.lenient != row[model]["is_correct"]
            assert not verdict.strict
    assert (labels, disagreements) == (5276, 0)


def test_gold_answers(shared_data: Path) -> None:
    """Every gold answer of the word-problem sets is readable and scores strictly when said in the form."""
    golds = []
    for split in ("train", "test"):
        for line in (shared_data / "gsm8k" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
            answer = json.loads(line)["answer"]
            golds.append(answer.rpartition("#### ")[2])
            assert grade(answer, golds[-1]).lenient
    for path in [shared_data / "gsm_hard" / "gsmhardv2.jsonl", *sorted((shared_data / "mawps").glob("*.jsonl"))]:
        golds += [str(json.loads(line)["target"]) for line in path.read_text(encoding="utf-8").splitlines()]
    golds += [str(row["Answer"]) for row in json.loads((shared_data / "svamp" / "SVAMP.json").read_text("utf-8"))]
    assert len(golds) == 13_176
    for gold in golds:
        check_gold(gold, "number")
        assert grade(render_completion("a", gold), gold).strict
        assert not grade(render_completion(gold, "0.123456789"), gold).lenient
