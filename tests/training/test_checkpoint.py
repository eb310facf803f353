"""Stopped at any step and gone on with, training ends as the one that was not stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import reasonwright.training.sft as sft
from reasonwright.runlog import append_jsonl, read_jsonl
from reasonwright.training.checkpoint import load_checkpoint, save_checkpoint
from reasonwright.training.grpo import train_grpo
from reasonwright.training.policy import Policy
from reasonwright.training.settings import GRPOSettings, OptimSettings, SFTSettings
from reasonwright.types import Reward, Verdict
from toy import SUMS, fresh_model, same_weights, toy_chat, weights, without_times

SFT = SFTSettings(epochs=4, batch_size=4, checkpoint_every=3, optim=OptimSettings(lr=1e-2, warmup_steps=3))
GRPO = GRPOSettings.model_validate(
    {
        "steps": 7,
        "problems_per_step": 3,  # of 8 problems: steps go over the seams of permutations
        "group_size": 3,
        "max_tokens": 6,
        "updates_per_rollout": 2,
        "kl": {"place": "reward", "beta": 0.05},
        "optim": {"lr": 3e-3, "warmup_steps": 2, "schedule": "cosine"},
        "checkpoint_every": 3,
        "eval_every": 1,
    }
)


def low_ids(_, completion) -> Reward:
    value = sum(token < 512 for token in completion.token_ids) / len(completion.token_ids)
    return Reward(value, value, {"low": value}, Verdict(value > 0.5, False, None))


def run_sft(folder: Path, stop_before: int | None, monkeypatch: pytest.MonkeyPatch):
    """`stop_before`: interrupted where the row of that step would be written, that is after its update."""

    def append(path: Path, rows: list[dict]) -> None:
        if rows[0]["step"] == stop_before:
            raise KeyboardInterrupt
        append_jsonl(path, rows)

    monkeypatch.setattr(sft, "append_jsonl", append)
    model = fresh_model()
    sft.train_sft(model, toy_chat(), SUMS, SFT, seed=5, folder=folder)
    return weights(model), read_jsonl(folder / "metrics.jsonl")


def run_grpo(folder: Path, stop_before: int | None):
    seen = []

    def evaluate() -> float:
        seen.append(None)
        if len(seen) - 1 == stop_before:
            raise KeyboardInterrupt
        return 0.5

    model = fresh_model()
    train_grpo(model, toy_chat(), SUMS, low_ids, GRPO, seed=5, folder=folder, evaluate=evaluate)
    return weights(model), read_jsonl(folder / "metrics.jsonl"), read_jsonl(folder / "rollouts.jsonl")


@pytest.mark.parametrize("stops", [[0], [2], [3], [5, 6], [7]])
def test_sft_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: list[int]):
    expected, rows = run_sft(tmp_path / "whole", None, monkeypatch)
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            run_sft(tmp_path / "cut", stop, monkeypatch)
    got, gone_on = run_sft(tmp_path / "cut", None, monkeypatch)
    assert same_weights(got, expected)
    assert [without_times(r) for r in gone_on] == [without_times(r) for r in rows]
    assert [r["step"] for r in gone_on] == list(range(8))


def test_grpo_goes_on(tmp_path: Path):
    expected, rows, rollouts = run_grpo(tmp_path / "whole", None)
    for stop in (4, 1):  # after the checkpoint of step 3, then two evaluations later
        with pytest.raises(KeyboardInterrupt):
            run_grpo(tmp_path / "cut", stop)
    got, gone_on, again = run_grpo(tmp_path / "cut", None)
    assert same_weights(got, expected)
    assert [without_times(r) for r in gone_on] == [without_times(r) for r in rows]
    assert again == rollouts
    assert not same_weights(expected, weights(fresh_model()))


def test_a_finished_training_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expected, rows = run_sft(tmp_path, None, monkeypatch)
    model = fresh_model()
    last = sft.train_sft(model, toy_chat(), SUMS, SFT, seed=5, folder=tmp_path)
    assert same_weights(weights(model), expected)
    assert {"step": 7} | last == rows[-1]  # what the model card states


def stepped() -> Policy:
    policy = Policy(fresh_model(), OptimSettings(lr=1e-2), total_steps=4)
    for p in policy.model.parameters():
        p.grad = torch.ones_like(p)
    policy.optimizer.step()
    policy.steps = 1
    return policy


def test_a_partial_folder_is_ignored_and_removed(tmp_path: Path):
    policy = stepped()
    save_checkpoint(tmp_path, policy, 3, {"note": 1})
    (tmp_path / "step-9.partial").mkdir()
    (tmp_path / "step-9.partial" / "model.safetensors").write_bytes(b"half of i")
    restored = Policy(fresh_model(), OptimSettings(lr=1e-2), total_steps=4)
    assert load_checkpoint(tmp_path, restored) == (3, {"note": 1})
    assert same_weights(weights(restored.model), weights(policy.model))
    save_checkpoint(tmp_path, restored, 10)
    assert [p.name for p in tmp_path.iterdir()] == ["step-10"]


def test_moments_come_back(tmp_path: Path):
    policy = stepped()
    save_checkpoint(tmp_path, policy, 1)
    restored = Policy(fresh_model(), OptimSettings(lr=1e-2), total_steps=4)
    load_checkpoint(tmp_path, restored)
    assert restored.steps == 1
    for p, q in zip(policy.model.parameters(), restored.model.parameters(), strict=True):
        one, other = policy.optimizer.state[p], restored.optimizer.state[q]
        assert one.keys() == other.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_newest_by_number_not_by_name(tmp_path: Path):
    policy = stepped()
    save_checkpoint(tmp_path / "nine", policy, 9)
    save_checkpoint(tmp_path / "ten", policy, 10)
    (tmp_path / "nine" / "step-9").rename(tmp_path / "ten" / "step-9")
    assert load_checkpoint(tmp_path / "ten", policy)[0] == 10


def test_nothing_pickled(tmp_path: Path):
    save_checkpoint(tmp_path, stepped(), 1)
    assert {p.suffix for p in (tmp_path / "step-1").iterdir()} == {".safetensors", ".json"}


def test_no_checkpoint(tmp_path: Path):
    assert load_checkpoint(tmp_path / "none", stepped()) == (0, {})
