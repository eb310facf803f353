"""average@n, pass@k and maj@k by hand; votes by value and not by text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonwright.evaluation.evaluate import Asking, answer
from reasonwright.evaluation.sampled import candidates, in_form, measures, same_answer, summarise_sampled
from reasonwright.types import Problem
from reasonwright.verify import grade
from toy import SUMS, fresh_model, toy_chat


def rows_of(problem: Problem, *texts: str) -> list[dict]:
    rows = []
    for text in texts:
        verdict = grade(text, problem.answer, problem.answer_kind)
        rows.append(
            {"text": text, "strict": verdict.strict, "lenient": verdict.lenient, "extracted": verdict.extracted,
             "tokens": 10, "finish_reason": "stop"}
        )  # fmt: skip
    return rows


def formed(answer: str) -> str:
    return f"<think>\n1 + 1 = 2\n</think>\n\nThe answer is {answer}."


def test_measures_by_hand():
    one = Problem("t/1", "q", "1000", difficulty=2)
    two = Problem("t/2", "q", "7", difficulty=3)
    rows = rows_of(one, formed("1,000"), "The answer is 5.", "The answer is 5.0.", formed("1000"))
    rows += rows_of(two, formed("6"), "so 7", "no idea", "7")
    values = measures([one, two], rows, 4)
    assert values["average@4 strict"] == [0.5, 0.0]
    assert values["average@4 lenient"] == [0.5, 0.5]
    assert values["pass@2 strict"] == pytest.approx([1 - 1 / 6, 0])  # C(2, 2) / C(4, 2) of the first holds none
    assert values["pass@4 lenient"] == [1, 1]
    assert values["maj@4 lenient"] == [1, 1]  # 1000 twice, 5 twice: the one given first; 7 twice, "no idea" has no vote
    assert values["maj@4 strict"] == [1, 0]  # in the form: 1000 twice; 6 alone
    figures, _ = summarise_sampled([one, two], rows, 4, 2.0)
    assert figures["measures"]["average@4 lenient"]["mean"] == 0.5
    assert figures["by_difficulty"]["2"] == {"n": 1, "mean": 0.5, "ci95": (0.5, 0.5)}
    assert (figures["problems"], figures["samples"], figures["mean_tokens"], figures["seconds"]) == (2, 4, 10, 2.0)


def test_majority_of_blocks():
    """maj@4 of 8 samples is the mean of two elections."""
    problem = Problem("t/1", "q", "3")
    texts = ["3", "3", "4", "5", "3", "4", "4", "5"]
    assert measures([problem], rows_of(problem, *texts), 8)["maj@4 lenient"] == [0.5]


@pytest.mark.parametrize(
    ("extracted", "kind", "expected"),
    [
        (["1,000", None, "7", "1000.0", "1e3"], "number", [0, None, 2, 0, 0]),
        (["1/2", "0.5", "-0.5", "50"], "number", [0, 0, 2, 3]),
        (["True", "**true**", "false"], "text", [0, 0, 2]),
    ],
)
def test_votes_are_counted_by_value(extracted: list[str | None], kind, expected: list[int | None]):
    assert candidates(extracted, kind) == expected


def test_latex_votes_by_value():
    pytest.importorskip("math_verify")
    assert candidates([r"\frac{1}{2}", "0.5", "x+1", "1+x", "x-1"], "latex") == [0, 0, 2, 2, 4]
    assert not same_answer("((", "))", "latex")


@given(
    st.sampled_from(["<think>\na\n</think>\n\n", "<think>\na", "", "x <think>\na\n</think>"]),
    st.sampled_from(["The answer is 12.", "12", "It is 12, so 12.", "The answer is 12 or 13.", r"\boxed{12}", ""]),
    st.sampled_from(["number", "text"]),
)
def test_strict_is_right_and_in_form(before: str, after: str, kind):
    """The form of an answer, which the strict majority asks for, is the strict verdict's own."""
    for gold in ("12", "13"):
        verdict = grade(before + after, gold, kind)
        assert verdict.strict == (verdict.lenient and in_form(before + after, kind))


def test_samples_differ_and_are_the_same_again():
    asking = Asking(max_tokens=6, samples=3, temperature=1.0, seed=5)
    rows = answer(fresh_model(), toy_chat(), SUMS[:2], asking)
    assert [r["id"] for r in rows] == ["toy/0"] * 3 + ["toy/1"] * 3
    assert len({r["text"] for r in rows[:3]}) == 3
    assert answer(fresh_model(), toy_chat(), SUMS[1:2], asking) == rows[3:]  # whatever else is asked
    other = answer(fresh_model(), toy_chat(), SUMS[:2], Asking(6, samples=3, temperature=1.0, seed=6))
    assert [r["text"] for r in other] != [r["text"] for r in rows]
