"""GRPO with a model that computes in bfloat16: it learns, it can be stopped, and float32 is what is kept."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from safetensors.torch import load_file

from reasonwright.models.precision import compute_in
from reasonwright.runlog import read_jsonl
from reasonwright.stopping import Stopped
from reasonwright.training.checkpoint import committed
from reasonwright.training.grpo import train_grpo
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Completion, Problem, Reward, Verdict
from toy import SUMS, fresh_model, same_weights, toy_chat, weights, without_times

SMALL = {
    "steps": 3, "problems_per_step": 4, "group_size": 4, "max_tokens": 6, "checkpoint_every": 1,
    "optim": {"lr": 3e-3, "schedule": "constant"}, "kl": {"place": "loss", "beta": 0.01},
}  # fmt: skip


def low_ids(problem: Problem, completion: Completion) -> Reward:
    """The share of tokens from the first half of the vocabulary."""
    value = sum(token < 512 for token in completion.token_ids) / len(completion.token_ids)
    return Reward(value, value, {"low": value}, Verdict(value > 0.5, value > 0.25, None))


def train(folder: Path, compute="bfloat16", stop_at: int = 0, **changes):
    model, asked = compute_in(fresh_model(), compute), iter(range(1, 1000))
    settings = GRPOSettings.model_validate(SMALL | changes)
    train_grpo(
        model, toy_chat(), SUMS, low_ids, settings, seed=0, folder=folder, stop=lambda: next(asked) == stop_at
    )  # fmt: skip
    return weights(model), read_jsonl(folder / "metrics.jsonl"), read_jsonl(folder / "rollouts.jsonl")


def test_the_reward_rises(tmp_path: Path):
    optim = SMALL["optim"] | {"lr": 3e-2}
    _, rows, _ = train(tmp_path, steps=15, problems_per_step=8, group_size=8, optim=optim, kl={"place": "none"})
    assert rows[0]["reward"] == pytest.approx(0.5, abs=0.1)
    assert fmean(row["reward"] for row in rows[-3:]) > 0.75
    gaps = [row["sampler_gap"] for row in rows if row["sampler_gap"] is not None]  # null where nothing is to be learned
    assert len(gaps) > 5
    assert all(0 < gap < 0.005 for gap in gaps)


@pytest.mark.parametrize("updates", [1, 2])
def test_stopped_and_gone_on_with_it_ends_in_the_same_bits(tmp_path: Path, updates: int):
    expected, rows, rollouts = train(tmp_path / "whole", updates_per_rollout=updates)
    for stop_at in (1, 2):  # with two updates: in the middle of a step, and after the next
        with pytest.raises(Stopped):
            train(tmp_path / "cut", stop_at=stop_at, updates_per_rollout=updates)
    got, gone_on, again = train(tmp_path / "cut", updates_per_rollout=updates)
    assert same_weights(got, expected)
    assert [without_times(r) for r in gone_on] == [without_times(r) for r in rows]
    assert again == rollouts
    if updates == 1:
        assert rows[0]["kl"] == pytest.approx(0, abs=1e-7)  # the reference computes in bfloat16 as well
    last = committed(tmp_path / "cut" / "checkpoints")[-1]
    for name in ("model", "optimizer"):
        assert {str(x.dtype) for x in load_file(last / f"{name}.safetensors").values()} == {"torch.float32"}


def test_it_is_another_run_than_in_float32(tmp_path: Path):
    half, full = (train(tmp_path / compute, compute) for compute in ("bfloat16", "float32"))
    assert not same_weights(half[0], full[0])
    assert all(row["sampler_gap"] < 1e-4 for row in full[1])
    assert half[1][0]["reward"] == pytest.approx(full[1][0]["reward"], abs=0.1)
