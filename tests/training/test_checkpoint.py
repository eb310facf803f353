"""Stopped at any step and gone on with, training ends as the one that was not stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import reasonwright.training.sft as sft
from reasonwright.models.embedded_config import make_model
from reasonwright.runlog import append_jsonl, read_jsonl
from reasonwright.training.checkpoint import Checkpoints, State, best_of, committed, keep_only_best
from reasonwright.training.grpo import train_grpo
from reasonwright.training.policy import Policy
from reasonwright.training.settings import GRPOSettings, OptimSettings, SFTSettings
from reasonwright.types import Reward, UserError, Verdict
from toy import SUMS, fill, fresh_model, numbered, same_weights, toy_chat, weights, without_times

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


@pytest.mark.parametrize(
    ("kept", "scores", "stay"),
    [
        (1, [None, None, None], [3]),
        (2, [None, None, None], [2, 3]),
        (1, [0.1, 0.3, 0.2, 0.2], [2, 4]),
        (2, [0.1, 0.3, 0.2, 0.2, None], [2, 4, 5]),
        (1, [0.0, 0.0, 0.0], [3]),  # the newest of equals
        (1, [-3.0, -1.0, -2.0], [2, 3]),
        (3, [0.5, 0.4], [1, 2]),
        (1, [-2.0, float("nan"), -3.0], [1, 3]),
    ],
)
def test_the_newest_stay_and_the_best(tmp_path: Path, kept: int, scores: list, stay: list[int]):
    checkpoints = numbered(tmp_path, kept)
    for step, score in enumerate(scores, 1):
        fill(checkpoints.policy, step)
        checkpoints.commit(State(step), score)
    assert [p.name for p in committed(tmp_path)] == [f"checkpoint-{step}" for step in stay]
    assert len(list(tmp_path.iterdir())) == len(stay)
    best = best_of(committed(tmp_path))
    keep_only_best(tmp_path)
    left = [p.name for p in tmp_path.iterdir()] if tmp_path.exists() else []
    assert left == ([best.name] if best and best.name != f"checkpoint-{len(scores)}" else [])


def test_when_a_checkpoint_is_due(tmp_path: Path):
    """Every third step, the last, and one that is better than all before."""
    checkpoints = numbered(tmp_path, kept=99, every=3, total=8)
    for step, score in enumerate([None, 0.2, None, 0.2, 0.1, None, 0.4, None], 1):
        fill(checkpoints.policy, step)
        checkpoints.after_step(step, score)
    assert [p.name for p in committed(tmp_path)] == [f"checkpoint-{step}" for step in (2, 3, 6, 7, 8)]


def test_what_was_half_written_or_half_removed_is_cleared_away(tmp_path: Path):
    checkpoints = numbered(tmp_path)
    fill(checkpoints.policy, 3)
    checkpoints.commit(State(3, {"note": 1}))
    (tmp_path / "checkpoint-9.partial").mkdir()
    (tmp_path / "checkpoint-9.partial" / "model.safetensors").write_bytes(b"half of i")
    restored = numbered(tmp_path)
    state = restored.load()
    assert (state.step, state.extra, state.buffer) == (3, {"note": 1}, None)
    assert same_weights(weights(restored.policy.model), weights(checkpoints.policy.model))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-3"]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_moments_come_back(tmp_path: Path, optimizer: str):
    """Whatever the optimiser keeps, of every parameter."""
    settings = SFTSettings(optim=OptimSettings(lr=1e-2, optimizer=optimizer))  # type: ignore[arg-type]

    def checkpoints() -> Checkpoints:
        policy = Policy(fresh_model(), settings.optim, total_steps=4)
        return Checkpoints(tmp_path, policy, toy_chat(), settings, 4, lambda: False)

    one, other = checkpoints(), checkpoints()
    for p in one.policy.model.parameters():
        p.grad = torch.randn_like(p)
    one.policy.optimizer.step()
    one.policy.steps, one.policy.bad_steps = 1, 2
    one.commit(State(1))
    other.load()
    assert (other.policy.steps, other.policy.bad_steps) == (1, 2)
    for p, q in zip(one.policy.model.parameters(), other.policy.model.parameters(), strict=True):
        a, b = one.policy.optimizer.state[p], other.policy.optimizer.state[q]
        assert a.keys() == b.keys()
        assert len(a) in (1, 3)
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_the_newest_by_number_not_by_name(tmp_path: Path):
    checkpoints = numbered(tmp_path)
    for step in (9, 10):
        fill(checkpoints.policy, step)
        checkpoints.commit(State(step))
    assert checkpoints.load().step == 10


def test_of_another_model(tmp_path: Path):
    checkpoints = numbered(tmp_path)
    fill(checkpoints.policy, 1)
    checkpoints.commit(State(1))
    chat = toy_chat()
    larger = Policy(make_model("student", len(chat.tokenizer), chat.end_id), OptimSettings(), total_steps=4)
    with pytest.raises(UserError, match="is of another model than the one to train: keep to it, or remove"):
        Checkpoints(tmp_path, larger, chat, SFT, 4, lambda: False).load()


def test_no_checkpoint(tmp_path: Path):
    assert numbered(tmp_path / "none").load() == State()
