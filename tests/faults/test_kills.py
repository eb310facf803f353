"""SIGKILL at random moments of real processes: nothing committed is lost, and the end is that of a run in peace.

The many are behind the marker `faults`; a few of each run always.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from children import FORKS, finish, grpo, keep_saving, rejection, sft, start
from disks import contents

from reasonwright.runlog import read_jsonl
from reasonwright.training.checkpoint import committed, verify
from toy import numbered, without_times

MANY = pytest.mark.faults


@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=MANY)])
def test_killed_while_saving(tmp_path: Path, kills: int):
    """The newest committed step is loaded, whole and with its own numbers, and what was half written is gone."""
    rng = random.Random(kills)
    halves = 0
    for _ in range(kills):
        hear, say = FORKS.Pipe(duplex=False)
        process = start(keep_saving, tmp_path, say)
        say.close()
        heard = []
        while len(heard) < 2:  # a save in peace, to know how long one takes
            assert hear.poll(60)
            heard.append(hear.recv())
        time.sleep(rng.uniform(0, 1.5 * heard[1][2]))
        process.kill()
        process.join()
        with contextlib.suppress(EOFError):
            while True:
                heard.append(hear.recv())
        begun, done = (max(step for what, step, _ in heard if what == name) for name in ("begins", "done"))
        halves += any(tmp_path.glob("*.partial"))
        for folder in committed(tmp_path):
            verify(folder, "")
        checkpoints = numbered(tmp_path)
        state = checkpoints.load()
        assert state.step == checkpoints.policy.steps == int(committed(tmp_path)[-1].name.removeprefix("checkpoint-"))
        assert done <= state.step <= begun
        assert all(bool((p == state.step / 1000).all()) for p in checkpoints.policy.model.parameters())
        moments = list(checkpoints.policy.optimizer.state.values())
        assert moments
        assert all(torch.equal(m["exp_avg_sq"], m["exp_avg"] / 2 * 3) for m in moments)
        assert all(float(m["step"]) == state.step for m in moments)
        assert not list(tmp_path.glob("*.partial"))
    print(f"{kills} of {kills} kills survived, {halves} of them within a save, at step {state.step}")
    assert halves > kills / 10  # the kills did hit


def killed_on_the_way(train: Callable, folder: Path, kills: int, longest: float) -> int:
    """Run `train` again and again, killed after random times, and at last to its end; the kills that hit."""
    rng = random.Random(longest)
    hits = 0
    for _ in range(kills):
        process = start(train, folder)
        process.join(rng.uniform(0.1, longest))
        hits += process.exitcode is None
        process.kill()
        process.join()
    assert finish(train, folder) == 0
    return hits


@pytest.mark.parametrize(("train", "kills"), [
    (grpo, 3), (sft, 3), pytest.param(grpo, 40, marks=MANY), pytest.param(sft, 40, marks=MANY)
])  # fmt: skip
def test_training_killed_again_and_again(tmp_path: Path, train: Callable, kills: int):
    began = time.perf_counter()
    assert finish(train, tmp_path / "whole") == 0
    seconds = time.perf_counter() - began
    hits = killed_on_the_way(train, tmp_path / "cut", kills, seconds)
    print(f"{train.__name__}: {hits} of {kills} kills hit and were survived")
    assert hits
    rows = [[without_times(r) for r in read_jsonl(tmp_path / n / "metrics.jsonl")] for n in ("whole", "cut")]
    assert rows[0] == rows[1]
    assert read_jsonl(tmp_path / "cut" / "rollouts.jsonl") == read_jsonl(tmp_path / "whole" / "rollouts.jsonl")
    last = [contents(committed(tmp_path / name / "checkpoints")[-1]) for name in ("whole", "cut")]
    assert last[0] == last[1]


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=MANY)])
def test_no_solution_is_lost_or_comes_twice(tmp_path: Path, kills: int):
    """Killed where the file has grown to a random length, that is while a chunk is sampled or written."""
    assert finish(rejection, tmp_path / "whole") == 0
    whole = (tmp_path / "whole" / "solutions.jsonl").read_bytes()
    rng = random.Random(kills)
    hits, file = 0, tmp_path / "cut" / "solutions.jsonl"
    for _ in range(kills):
        file.unlink(missing_ok=True)
        for _ in range(2):
            goal = rng.uniform(0, len(whole))
            process = start(rejection, tmp_path / "cut")
            while process.is_alive() and not (file.exists() and file.stat().st_size > goal):
                time.sleep(0.002)
            hits += process.is_alive()
            process.kill()
            process.join()
        assert finish(rejection, tmp_path / "cut") == 0
        assert file.read_bytes() == whole
    print(f"{hits} kills in {kills} runs survived")
    assert hits
