"""The watcher on sequences of metrics written by hand, and on a run that really goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasonwright.runlog import read_jsonl
from reasonwright.training.grpo import train_grpo
from reasonwright.training.settings import GRPOSettings
from reasonwright.training.watch import WINDOW, Watcher, watch_run
from reasonwright.types import Completion, Problem, Reward, Verdict
from toy import SUMS, fresh_model, toy_chat

HEALTHY = {"reward": 0.4, "accuracy": 0.4, "truncated": 0.02, "entropy": 0.3, "kl": 0.01, "zero_variance": 0.2}


def warnings(*rows: dict, said: tuple[str, ...] = ()) -> list[tuple[int, str]]:
    """(step, kind) of each warning; what a row does not say is as in HEALTHY."""
    watcher = Watcher(said)
    found = [w for step, row in enumerate(rows) for w in watcher.see({"step": step} | HEALTHY | row)]
    assert all(w["text"].count("\n") == 0 and len(w["text"]) > 40 for w in found)
    return [(w["step"], w["kind"]) for w in found]


def evaluated(*pairs: tuple[float, float]) -> list[dict]:
    """Five steps before each (reward, held-out accuracy)."""
    return [
        {"reward": reward} | ({"eval/accuracy": held_out} if i == 4 else {})
        for reward, held_out in pairs
        for i in range(5)
    ]


def test_a_healthy_run():
    """The shape of the demo's: entropy to a sixth of its start, since most is right; KL to 0.1 once."""
    rows = [
        {"entropy": 0.137 * 0.95**i, "accuracy": min(0.8, 0.25 + 0.03 * i), "kl": 0.1 if i == 34 else 0.02}
        for i in range(36)
    ]
    assert warnings(*rows) == []
    assert warnings(*evaluated((0.3, 0.5), (0.5, 0.7), (0.6, 0.8), (0.7, 0.8))) == []


def test_entropy():
    falling = [{"entropy": 0.3}] * 5 + [{"entropy": 0.02}] * 9
    assert warnings(*falling) == [(9, "entropy")]  # once the last five are all low
    assert warnings(*({"accuracy": 0.9} | row for row in falling)) == []  # sure, and right
    assert warnings(*falling[:8]) == []


def test_truncation():
    assert warnings(*[{"truncated": 0.05}] * 5, *[{"truncated": 0.4}] * 6) == [(7, "truncation")]
    assert warnings(*[{"truncated": 0.3}] * 12) == []  # it does not rise: the pre-flight's business


def test_kl():
    assert warnings(*[{}] * 5, *[{"kl": 3.0}] * 5) == [(5, "kl")]
    assert warnings(*[{}] * 5, {"kl": 2.0}, *[{}] * 5) == []  # one step's 2.0 is 0.4 a step
    assert warnings({}, {"kl": float("nan")}) == [(1, "kl")]
    assert warnings(*[{"kl": -0.9}] * 5) == [(4, "kl")]  # k1 may be negative


def test_zero_variance():
    watcher = Watcher()
    found = [w for step in range(8) for w in watcher.see({"step": step} | HEALTHY | {"zero_variance": 1.0, "kl": None})]
    assert [(w["step"], w["kind"]) for w in found] == [(4, "zero_variance")]
    assert "easier problems" in found[0]["text"]
    right = Watcher()
    told = [w for step in range(5) for w in right.see({"step": step, "zero_variance": 1.0, "accuracy": 1.0})]
    assert "harder problems" in told[0]["text"]


def test_reward_hacking():
    """The reward rises, and held-out accuracy is below its best at two evaluations in a row."""
    rows = evaluated((0.3, 0.50), (0.4, 0.60), (0.5, 0.52), (0.6, 0.50), (0.7, 0.40))
    assert warnings(*rows) == [(19, "reward_hacking")]
    assert warnings(*evaluated((0.3, 0.50), (0.4, 0.60), (0.5, 0.52), (0.6, 0.58), (0.7, 0.52))) == []  # noise
    assert warnings(*evaluated((0.6, 0.60), (0.5, 0.5), (0.4, 0.4), (0.3, 0.3))) == []  # both fall: not hacking
    rows[19]["eval/accuracy"] = None
    assert warnings(*rows) == [(24, "reward_hacking")]


def test_each_once_and_not_again_after_a_resume():
    bad = [{"kl": 3.0, "zero_variance": 1.0}] * 20
    assert warnings(*bad) == [(4, "kl"), (4, "zero_variance")]
    assert warnings(*bad, said=("kl",)) == [(4, "zero_variance")]


def hopeless(problem: Problem, completion: Completion) -> Reward:
    return Reward(0.0, 0.0, {"accuracy": 0.0}, Verdict(False, False, None))


def test_a_run_that_learns_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Printed and written once, by a run and by what goes on from it."""

    def train(steps: int) -> None:
        settings = GRPOSettings.model_validate(
            {"steps": steps, "problems_per_step": 1, "group_size": 2, "max_tokens": 3, "checkpoint_every": 1}
        )
        train_grpo(fresh_model(), toy_chat(), SUMS, hopeless, settings, seed=0, folder=tmp_path)

    train(WINDOW - 1)
    assert not (tmp_path / "warnings.jsonl").exists()
    train(WINDOW)  # the window reaches back over the stop
    (row,) = read_jsonl(tmp_path / "warnings.jsonl")
    assert (row["step"], row["kind"]) == (WINDOW - 1, "zero_variance")
    assert f"step {WINDOW - 1}: 100% of groups carry no signal" in capsys.readouterr().out
    train(WINDOW + 2)
    assert read_jsonl(tmp_path / "warnings.jsonl") == [row]
    assert "no signal" not in capsys.readouterr().out
    watch_run(tmp_path)({"step": 99} | HEALTHY | {"kl": float("inf")})
    assert [row["kind"] for row in read_jsonl(tmp_path / "warnings.jsonl")] == ["zero_variance", "kl"]
