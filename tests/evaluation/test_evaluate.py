"""Accuracy: intervals against published numbers, and the same fair treatment for every model."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonwright.evaluation.evaluate import _row, evaluate_model, judge, length_bin, summarise
from reasonwright.evaluation.intervals import wilson
from reasonwright.types import Completion, Problem, UserError
from toy import SUMS, fresh_model, toy_chat


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_against_published_intervals(right: int, n: int, low: float, high: float):
    assert wilson(right, n) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_an_interval_around_the_share(case: tuple[int, int]):
    right, n = case
    low, high = wilson(right, n)
    assert 0 <= low <= right / n + 1e-12
    assert right / n - 1e-12 <= high <= 1
    assert wilson(n - right, n) == pytest.approx((1 - high, 1 - low))


def test_wilson_of_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


def answer(
    strict: bool, lenient: bool, difficulty: int | None, tokens: int, reason: str = "stop", thought: int | None = None
) -> dict:
    return {
        "strict": strict, "lenient": lenient, "difficulty": difficulty, "tokens": tokens, "finish_reason": reason,
        "thought_tokens": thought,
    }  # fmt: skip


def test_summary_by_hand():
    rows = [
        answer(True, True, 1, 10, thought=16),
        answer(False, True, 10, 20, thought=17),
        answer(False, False, 2, 60, "length"),
        answer(True, True, None, 30, thought=20),
    ]
    result = summarise(rows, name="m", task="t", mode="chat", seconds=1.5)
    assert (result.model, result.task, result.mode, result.n, result.seconds) == ("m", "t", "chat", 4, 1.5)
    assert (result.accuracy, result.accuracy_lenient) == (0.5, 0.75)
    assert (result.mean_tokens, result.truncated) == (30, 0.25)
    assert result.ci95 == wilson(2, 4)
    assert result.ci95_lenient == wilson(3, 4)
    assert list(result.by_difficulty) == ["1", "2", "10"]
    assert result.by_difficulty["10"] == {
        "n": 1, "accuracy": 0.0, "accuracy_lenient": 1.0, "mean_tokens": 20, "ci95": wilson(0, 1),
        "ci95_lenient": wilson(1, 1),
    }  # fmt: skip
    assert {b: (g["n"], g["accuracy"]) for b, g in result.by_length.items()} == {"0-16": (1, 1.0), "17-32": (2, 0.5)}


@given(st.integers(0, 5000))
def test_bins_of_length_cover_every_length_once(tokens: int):
    low, high = length_bin(tokens)
    assert low <= tokens <= high
    assert high & (high - 1) == 0
    assert high >= 16
    assert {length_bin(t) for t in (low, high)} == {(low, high)}
    assert length_bin(high + 1)[0] == high + 1


def test_tokens_of_the_thought_are_counted():
    """A model that learned nothing writes no thought; the tokens of one are those between the tags."""
    chat = toy_chat()
    text = "<think>\n8 x 2 = 16\n</think>\n\nThe answer is 16."
    problem = Problem("t/1", "q", "16")
    ids = chat.completion_ids(text)
    row = _row(problem, chat.prompt("q"), Completion(ids, [0.0] * len(ids), text, "stop"), chat)
    empty = len(chat.completion_ids(text.replace("8 x 2 = 16", "")))
    assert abs(row["thought_tokens"] - (len(ids) - empty)) <= 1  # newlines may merge with their neighbours
    assert row["tokens"] == len(ids)
    assert _row(problem, chat.prompt("q"), completion("The answer is 16."), chat)["thought_tokens"] is None


def completion(text: str) -> Completion:
    return Completion([1], [-1.0], text, "stop")


@pytest.mark.parametrize(
    ("mode", "text", "strict", "lenient"),
    [
        ("direct", " 12.", False, True),  # the prompt ends with "The answer is"
        ("direct", " 13.", False, False),
        ("direct", " 12. Or 13", False, True),
        ("cot", "15% of 80 is 12.\nThe answer is 12.", False, True),
        ("cot", "The answer is 13.", False, False),
        ("chat", "<think>\n80 x 0.15 = 12.\n</think>\n\nThe answer is 12.", True, True),
        ("chat", "The answer is 12.", False, True),
        ("chat", "<think>\nThe answer is 12.\n</think>\n\nThe answer is 13.", False, False),
        ("chat", "<think>\nThe answer is 12.", False, False),
    ],
)
def test_strict_and_lenient_in_each_mode(mode, text: str, strict: bool, lenient: bool):
    problem = Problem("t/1", "What is 15% of 80?", "12")
    verdict = judge(problem, toy_chat().prompt(problem.question, mode), completion(text))
    assert (verdict.strict, verdict.lenient) == (strict, lenient)


@pytest.mark.parametrize("mode", ["chat", "direct", "cot"])
def test_every_model_gets_the_same_problems_in_order(mode):
    """The problems are handed in; the answers come back in their order whatever their length, twice the same."""
    problems = [SUMS[0], Problem("toy/long", "What is 1 + 1? " * 9, "2", difficulty=2), *SUMS[1:3]]
    figures = []
    for _ in range(2):
        result, rows = evaluate_model(
            fresh_model(), toy_chat(), problems, name="m", task="toy", max_tokens=5, mode=mode, shots=[("q", "s", "1")]
        )
        assert [(r["id"], r["question"], r["gold"]) for r in rows] == [(p.id, p.question, p.answer) for p in problems]
        assert result.n == 4
        assert list(result.by_difficulty) == ["2"]
        assert result.mean_tokens == math.fsum(r["tokens"] for r in rows) / 4
        figures.append([{k: v for k, v in r.items() if k != "seconds"} for r in rows])
    assert figures[0] == figures[1]  # greedy: no chance in it
    if mode == "direct":
        assert all(r["text"].startswith("The answer is") for r in figures[0])


def test_no_problems_is_an_error_and_not_a_division_by_zero():
    with pytest.raises(UserError, match="task t has no problems"):
        evaluate_model(fresh_model(), toy_chat(), [], name="m", task="t", max_tokens=5)
