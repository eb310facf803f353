"""Gradients that are not finite, out of a real backward pass: skipped, counted, and after several in a row the end."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from children import GRPO, SFT, low_ids

from reasonwright.runlog import read_jsonl
from reasonwright.stopping import Stopped
from reasonwright.training.checkpoint import committed
from reasonwright.training.grpo import train_grpo
from reasonwright.training.sft import train_sft
from reasonwright.types import UserError
from toy import SUMS, fresh_model, same_weights, toy_chat, weights


def spoilt(bad: set[int], value: float):
    """A model of whose steps' gradients those in `bad` hold one `value`; and its weights at the end of each step."""
    model = fresh_model()
    p = next(model.parameters())
    after: list[dict[str, torch.Tensor]] = []

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.clone()
        if len(after) in bad:
            gradient.view(-1)[0] = value
        return gradient

    p.register_hook(spoil)
    return model, after


def watch(after: list, model) -> bool:
    """Asked once a step whether to stop."""
    after.append(weights(model))
    return False


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_sft_skips_the_step_and_goes_on(tmp_path: Path, value: float):
    model, after = spoilt({2, 3, 5}, value)
    train_sft(model, toy_chat(), SUMS, SFT, seed=5, folder=tmp_path, stop=lambda: watch(after, model))
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    assert [row["skipped"] for row in rows] == [0, 0, 1, 1, 0, 1, 0, 0]
    assert [same_weights(a, b) for a, b in itertools.pairwise(after)] == [0, 1, 1, 0, 1, 0, 0]
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_the_count_in_a_row_goes_over_a_stop(tmp_path: Path):
    """Two bad steps, stopped, and a third one."""
    settings = SFT.model_copy(update={"optim": SFT.optim.model_copy(update={"max_bad_steps": 3})})

    def train(bad: set[int], steps: int) -> None:
        model, after = spoilt(bad, float("nan"))
        train_sft(
            model, toy_chat(), SUMS, settings, seed=5, folder=tmp_path,
            stop=lambda: watch(after, model) or len(after) == steps,
        )  # fmt: skip

    with pytest.raises(Stopped):
        train({2, 3}, steps=4)
    with pytest.raises(UserError, match="not finite in 3 steps in a row"):
        train({0}, steps=9)


def test_grpo_stops_after_several_in_a_row_and_goes_on_from_before(tmp_path: Path):
    settings = GRPO.model_validate(GRPO.model_dump() | {"updates_per_rollout": 1, "steps": 8, "kl": {"place": "none"}})
    settings = settings.model_copy(update={"optim": settings.optim.model_copy(update={"max_bad_steps": 3})})

    def train(bad: set[int], folder: Path):
        model, after = spoilt(bad, float("nan"))
        train_grpo(
            model, toy_chat(), SUMS, low_ids, settings, seed=5, folder=folder, stop=lambda: watch(after, model)
        )  # fmt: skip
        return model

    with pytest.raises(UserError, match="not finite in 3 steps in a row"):
        train({3, 4, 5}, tmp_path / "bad")
    assert [row["skipped"] for row in read_jsonl(tmp_path / "bad" / "metrics.jsonl")] == [0, 0, 0, 1, 1]
    assert committed(tmp_path / "bad" / "checkpoints")[-1].name == "checkpoint-3"
    gone_on, whole = train(set(), tmp_path / "bad"), train(set(), tmp_path / "good")
    assert same_weights(weights(gone_on), weights(whole))
