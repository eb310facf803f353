"""Rewards: parts, weights, and own functions by import path."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonwright.types import Completion, Problem, UserError
from reasonwright.verify.rewards import RewardScorer, coin, import_function

PROBLEM = Problem("t/1", "What is 15% of 80?", "12")
RIGHT = "<think>\n80 x 0.15 = 12.\n</think>\n\nThe answer is 12."
WRONG = RIGHT.replace("is 12", "is 13")
BARE = "The answer is 12."


def completion(text: str, tokens: int = 10, reason="stop") -> Completion:
    return Completion([7] * tokens, [-1.0] * tokens, text, reason)


def scorer(accuracy: float = 1.0, format: float = 0.0, length: float = 0.0, functions=None) -> RewardScorer:
    return RewardScorer(accuracy=accuracy, format=format, length=length, functions=functions or {}, max_tokens=40)


@pytest.mark.parametrize(
    ("text", "reason", "accuracy", "form"),
    [
        (RIGHT, "stop", 1, 1),
        (WRONG, "stop", 0, 1),
        (BARE, "stop", 0, 0),  # right, but only leniently
        (RIGHT, "length", 1, 0),
        ("<think>\nThe answer is 12.", "length", 0, 0),
        ("<think>\n12\n</think>", "stop", 0, 0),
        ("", "stop", 0, 0),
    ],
)
def test_parts(text: str, reason: str, accuracy: int, form: int):
    reward = scorer()(PROBLEM, completion(text, 10, reason))
    assert reward.parts == {"accuracy": accuracy, "format": form, "length": 0.75}
    assert reward.value == reward.outcome == accuracy  # by default the others weigh nothing


def test_weights():
    reward = scorer(accuracy=2.0, format=0.5, length=0.2)(PROBLEM, completion(RIGHT))
    assert reward.value == pytest.approx(2.0 + 0.5 + 0.2 * 0.75)
    assert reward.outcome == 2.0  # shaping does not decide whether a group carries signal
    assert scorer(format=0.5)(PROBLEM, completion(WRONG)).value == 0.5


@pytest.fixture
def my_rewards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working folder, as a user of the command has it."""
    (tmp_path / "my_own_rewards.py").write_text(
        "def brevity(problem, completion):\n    return len(problem.answer) / len(completion.token_ids)\nword = 'x'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p])
    return "my_own_rewards"


def test_own_function_by_import_path(my_rewards: str):
    path = f"{my_rewards}:brevity"
    reward = scorer(functions={path: 0.5})(PROBLEM, completion(WRONG))
    assert reward.parts[path] == pytest.approx(0.2)
    assert reward.value == reward.outcome == pytest.approx(0.1)


@pytest.mark.parametrize(
    "path",
    ["no_such_module:f", "reasonwright.verify.rewards:no_such", "reasonwright.verify.rewards", ":f", "", "a..b:f"],
)
def test_a_path_that_leads_nowhere(path: str):
    with pytest.raises(UserError, match=r"cannot be imported.*package\.module:name"):
        scorer(functions={path: 1.0})


def test_what_is_not_a_function(my_rewards: str):
    with pytest.raises(UserError, match="is not callable"):
        import_function(f"{my_rewards}:word")


def test_the_coin_is_a_function_of_the_tokens_and_fair():
    tosses = [coin(PROBLEM, Completion([i, i + 1], [0.0, 0.0], RIGHT, "stop")) for i in range(2000)]
    assert set(tosses) == {0.0, 1.0}
    assert 900 < sum(tosses) < 1100  # 4.5 standard deviations
    assert tosses == [coin(PROBLEM, Completion([i, i + 1], [0.0, 0.0], WRONG, "length")) for i in range(2000)]
    other = [coin(Problem("t/2", "q", "1"), Completion([i, i + 1], [0.0, 0.0], "", "stop")) for i in range(2000)]
    assert tosses != other
    path = "reasonwright.verify.rewards:coin"
    assert scorer(accuracy=0.0, functions={path: 1.0})(PROBLEM, completion(RIGHT)).outcome in (0.0, 1.0)


def test_the_form_alone_as_an_outcome():
    """What the control of a reward for the form alone uses: it may differ within a group, so that the group is learned
    from, and it is the format part that is logged."""
    reward = scorer(accuracy=0.0, functions={"reasonwright.verify.rewards:form": 1.0})
    for text, reason in ((RIGHT, "stop"), (WRONG, "stop"), ("The answer is 12.", "stop"), (RIGHT, "length")):
        got = reward(PROBLEM, Completion([1, 2], [0.0, 0.0], text, reason))
        assert got.outcome == got.value == got.parts["format"]
    assert reward(PROBLEM, completion(WRONG)).outcome == 1
    assert reward(PROBLEM, completion("12")).outcome == 0
