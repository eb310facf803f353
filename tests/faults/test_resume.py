"""Asked to stop after any update and run again, a training ends as the one that was not stopped, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from children import GRPO, REJECTION, SFT, grpo, rejection, sft
from disks import contents

from reasonwright.runlog import read_json, read_jsonl
from reasonwright.stopping import Stopped
from reasonwright.training.checkpoint import committed
from toy import SUMS, without_times


def at_ask(k: int) -> Callable[[], bool]:
    """Says to stop when it is asked for the `k`-th time, counted from 1."""
    asked = iter(range(1, 10_000))
    return lambda: next(asked) == k


def some_of(chosen: set[int]) -> list:
    """All of 1 … 7; those that are not chosen only where all faults are asked for."""
    return [k if k in chosen else pytest.param(k, marks=pytest.mark.faults) for k in range(1, 8)]


def outcome(folder: Path) -> dict[str, object]:
    """Weights, moments and counters of the last checkpoint, and every row."""
    last = committed(folder / "checkpoints")[-1]
    files = {name: (last / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors", "state.json")}
    rows = [without_times(row) for row in read_jsonl(folder / "metrics.jsonl")]
    return files | {"metrics": rows, "rollouts": read_jsonl(folder / "rollouts.jsonl"), "last": last.name}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """Each training, not stopped."""
    outcomes = {}
    for name, train in (("sft", sft), ("grpo", grpo)):
        folder = tmp_path_factory.mktemp(name)
        train(folder)
        outcomes[name] = outcome(folder)
    return outcomes


@pytest.mark.parametrize("k", some_of({4, 7}))
def test_sft_after_any_step(tmp_path: Path, whole: dict, k: int):
    with pytest.raises(Stopped):
        sft(tmp_path, stop=at_ask(k))
    assert committed(tmp_path / "checkpoints")[-1].name == f"checkpoint-{k}"
    assert len(read_jsonl(tmp_path / "metrics.jsonl")) == k
    sft(tmp_path)
    assert outcome(tmp_path) == whole["sft"]


@pytest.mark.parametrize("k", some_of({1, 6}))
def test_grpo_after_any_update(tmp_path: Path, whole: dict, k: int):
    """Odd ones lie between the two updates on one batch of rollouts."""
    with pytest.raises(Stopped):
        grpo(tmp_path, stop=at_ask(k))
    newest = committed(tmp_path / "checkpoints")[-1]
    assert newest.name == f"checkpoint-{k}"
    assert (newest / "buffer.safetensors").exists() == (k % 2 == 1)
    assert len(read_jsonl(tmp_path / "metrics.jsonl")) == k // 2
    grpo(tmp_path)
    assert outcome(tmp_path) == whole["grpo"]


def test_the_trainings_are_what_the_cases_need(whole: dict):
    """Steps of several micro-batches and of several updates; rewards with signal."""
    assert len(whole["sft"]["metrics"]) == 8
    assert len(whole["grpo"]["metrics"]) == GRPO.steps == 4
    assert any(row["tokens"] > 0 and row["grad_norm"] > 0 for row in whole["grpo"]["metrics"])
    assert all("eval_loss" in row for row in whole["sft"]["metrics"][1::2])
    assert SFT.optim.micro_batch_tokens < 4 * 20


def test_stopped_at_every_update_in_turn(tmp_path: Path, whole: dict):
    for k in range(1, 8):
        with pytest.raises(Stopped):
            grpo(tmp_path, stop=at_ask(1))
        assert committed(tmp_path / "checkpoints")[-1].name == f"checkpoint-{k}"
    grpo(tmp_path)
    assert outcome(tmp_path) == whole["grpo"]


@pytest.mark.parametrize("change", [{"loss": {"variant": "gspo"}}, {"kl": {"place": "loss"}}, {"group_size": 2}])
def test_any_kind_of_buffer(tmp_path: Path, change: dict):
    """With a reference's log-probabilities, without any; of groups that carry no signal."""
    settings = GRPO.model_validate(GRPO.model_dump() | {"steps": 2, "updates_per_rollout": 3} | change)
    grpo(tmp_path / "whole", settings=settings)
    for _ in range(5):
        with pytest.raises(Stopped):
            grpo(tmp_path / "cut", stop=at_ask(1), settings=settings)
    grpo(tmp_path / "cut", settings=settings)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


def test_a_buffer_of_no_batches(tmp_path: Path):
    """No group of a step carries signal: there is nothing to train on, and the step is gone on with all the same."""
    settings = GRPO.model_validate(GRPO.model_dump() | {"steps": 2, "max_tokens": 1, "temperature": 1e-4})
    grpo(tmp_path / "whole", settings=settings)
    assert [row["zero_variance"] for row in read_jsonl(tmp_path / "whole" / "metrics.jsonl")] == [1.0, 1.0]
    with pytest.raises(Stopped):
        grpo(tmp_path / "cut", stop=at_ask(1), settings=settings)
    assert read_json(tmp_path / "cut" / "checkpoints" / "checkpoint-1" / "state.json")["step"] == 0
    grpo(tmp_path / "cut", settings=settings)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


@pytest.mark.parametrize("k", [1, 2, 5, 7])
def test_rejection_sampling_after_any_chunk(tmp_path: Path, k: int):
    rejection(tmp_path / "whole")
    with pytest.raises(Stopped):
        rejection(tmp_path / "cut", stop=at_ask(k))
    assert len(read_jsonl(tmp_path / "cut" / "solutions.jsonl")) == k * REJECTION.solutions_per_problem
    rejection(tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    rows = read_jsonl(tmp_path / "cut" / "solutions.jsonl")
    assert [(r["id"], r["index"]) for r in rows] == [(p.id, i) for p in SUMS for i in range(4)]
