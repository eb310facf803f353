"""SIGTERM and Ctrl-C to the real command: a checkpoint within one step, the exit status, and the second one at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from children import command, finish, start

from commands import arguments
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.training.checkpoint import committed
from toy import without_times

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
SMALL = {"sft.epochs": "40", "sft.checkpoint_every": "1000"}
GRPO = {
    "grpo.steps": "8", "grpo.updates_per_rollout": "3", "grpo.checkpoint_every": "1000", "grpo.eval_every": "0",
    "grpo.max_tokens": "16", "grpo.temperature": "1.5", "grpo.group_size": "4", "grpo.optim.lr": "1e-3",
    "grpo.reward.accuracy": "0.0", "grpo.reward.functions": "{'children:short_words': 1.0}",
}  # fmt: skip
LONG = {"grpo.steps": "8", "grpo.group_size": "8", "grpo.max_tokens": "300", "grpo.problems_per_step": "1500"}
"""A step of many seconds."""


def stages(tmp: Path, out: Path) -> dict[str, list[object]]:
    return {
        "sft": ["sft", *arguments(tmp, out, **SMALL)],
        "grpo": ["grpo", *arguments(tmp, out, **GRPO), "--from", "embedded:tiny"],
    }


def when(process: Any, holds: Callable[[], bool]) -> None:
    """Wait until something holds of a process that runs."""
    until = time.monotonic() + 60
    while not holds():
        assert process.is_alive(), "it ended before"
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.parametrize(("stage", "number"), [
    ("sft", signal.SIGTERM), ("grpo", signal.SIGINT),
    pytest.param("sft", signal.SIGINT, marks=pytest.mark.faults),
    pytest.param("grpo", signal.SIGTERM, marks=pytest.mark.faults),
])  # fmt: skip
def test_a_stopped_run_goes_on(tmp_path: Path, stage: str, number: int):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert finish(command, *stages(tmp_path, whole)[stage]) == 0
    process = start(command, *stages(tmp_path, cut)[stage], log=tmp_path / "log")
    rows = cut / stage / "metrics.jsonl"
    when(process, lambda: len(read_jsonl(rows)) >= 3)
    os.kill(process.pid, number)
    seen = len(read_jsonl(rows))
    process.join(60)
    assert process.exitcode == STATUS[number]
    said = (tmp_path / "log").read_text()
    assert "stopping after this step, with a checkpoint" in said
    assert "stopped; the same command goes on from the last checkpoint" in said
    assert "Traceback" not in said
    (newest,) = committed(cut / stage / "checkpoints")
    steps = read_json(newest / "state.json")["step"]
    assert seen <= steps == len(read_jsonl(rows)) <= seen + 2  # one may have ended while the signal came
    assert finish(command, *stages(tmp_path, cut)[stage]) == 0
    assert stage == "sft" or any(row["grad_norm"] > 0 for row in read_jsonl(rows))
    files = ["model.safetensors"] + (["rollouts.jsonl"] if stage == "grpo" else [])
    for name in files:
        assert (cut / stage / name).read_bytes() == (whole / stage / name).read_bytes(), name
    one, other = ([without_times(r) for r in read_jsonl(run / stage / "metrics.jsonl")] for run in (whole, cut))
    assert one == other


@pytest.mark.parametrize("number", STATUS)
def test_the_second_signal_ends_it_at_once(tmp_path: Path, number: int):
    log = tmp_path / "log"
    argv = ["grpo", *arguments(tmp_path, tmp_path / "run", **LONG), "--from", "embedded:tiny", "--force"]
    process = start(command, *argv, log=log)
    when(process, (tmp_path / "run" / "grpo").exists)
    time.sleep(0.5)
    os.kill(process.pid, number)
    when(process, lambda: "stopping after this step" in log.read_text())
    time.sleep(0.3)
    assert process.is_alive()  # it finishes its step
    began = time.perf_counter()
    os.kill(process.pid, number)
    process.join(30)
    assert process.exitcode == -number  # which a shell shows as 130 or 143 too
    assert time.perf_counter() - began < 1
    assert not committed(tmp_path / "run" / "grpo" / "checkpoints")


def test_where_there_is_no_step_it_stops_at_once(tmp_path: Path):
    """In the evaluation of the base, before anything is trained."""
    log, run = tmp_path / "log", tmp_path / "run"
    process = start(command, "run", *arguments(tmp_path, run, **{"evaluate.max_tokens": "4000"}), log=log)
    when(process, (run / "env.json").exists)
    os.kill(process.pid, signal.SIGTERM)
    began = time.perf_counter()
    process.join(60)
    assert process.exitcode == 143
    assert time.perf_counter() - began < 5
    assert "stopped; the same command goes on" in log.read_text()
    assert not (run / "sft").exists()


def test_rejection_sampling_ends_its_chunk(tmp_path: Path):
    changes = {"rejection.problems_per_chunk": "1", "rejection.solutions_per_problem": "100"}
    argv = ["sample", *arguments(tmp_path, tmp_path / "run", **changes), "--from", "embedded:tiny"]
    process = start(command, *argv, log=tmp_path / "log")
    file = tmp_path / "run" / "rejection" / "solutions.jsonl"
    when(process, lambda: len(read_jsonl(file)) >= 100)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 143
    assert len(read_jsonl(file)) in (100, 200, 300)


def test_two_runs_on_one_folder(tmp_path: Path):
    """The second is refused while the first lives, and not after it was killed."""
    argv = stages(tmp_path, tmp_path / "run")["sft"]
    first = start(command, *argv)
    when(first, (tmp_path / "run" / "sft" / "metrics.jsonl").exists)
    os.kill(first.pid, signal.SIGSTOP)
    log = tmp_path / "log"
    assert finish(command, *argv, log=log) == 2
    assert log.read_text().startswith("error: another run is using")
    assert log.read_text().count("\n") == 1
    first.kill()
    first.join()
    assert finish(command, *argv) == 0
