"""SIGKILL at random moments of real processes: nothing committed is lost, and the end is that of a run in peace.

The many are behind the marker `faults`; a few of each run always.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from children import FORKS, GRPO, SFT, finish, grpo, keep_saving, rejection, sft, start
from disks import contents

from reasonwright.runlog import read_json, read_jsonl
from reasonwright.training.checkpoint import committed
from reasonwright.training.manifest import verify
from toy import numbered, without_times

MANY = pytest.mark.faults


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=MANY)])
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


def longer_grpo(folder: Path) -> None:
    grpo(folder, settings=GRPO.model_copy(update={"steps": 12}))


def longer_sft(folder: Path) -> None:
    sft(folder, settings=SFT.model_copy(update={"epochs": 10}))


@pytest.mark.parametrize("train", [longer_grpo, longer_sft])
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=MANY)])
def test_training_killed_again_and_again(tmp_path: Path, train: Callable, kills: int):
    """Wherever it stood, at a load, a step or a save; a training that comes to its end is begun anew."""
    assert finish(train, tmp_path / "whole") == 0
    expected = outcome(tmp_path / "whole")
    rng = random.Random(kills)
    hits, ends, folder = 0, 0, tmp_path / "cut"
    while hits < kills:
        saved = committed(folder / "checkpoints")
        goal = (read_json(saved[-1] / "state.json")["step"] if saved else 0) + rng.randint(0, 6)
        process = start(train, folder)
        while process.is_alive() and len(read_jsonl(folder / "metrics.jsonl")) < goal:
            time.sleep(0.002)
        process.join(rng.uniform(0, 0.3))
        if process.exitcode is None:
            process.kill()
            process.join()
            hits += 1
        else:
            assert process.exitcode == 0
            assert outcome(folder) == expected
            shutil.rmtree(folder)
            ends += 1
    assert finish(train, folder) == 0
    assert outcome(folder) == expected
    print(f"{train.__name__}: {hits} of {hits} kills survived, in {ends + 1} trainings")


def outcome(folder: Path) -> tuple:
    """Every file of the last checkpoint, and every row."""
    rows = [without_times(row) for row in read_jsonl(folder / "metrics.jsonl")]
    return contents(committed(folder / "checkpoints")[-1]), rows, read_jsonl(folder / "rollouts.jsonl")


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=MANY)])
def test_no_solution_is_lost_or_comes_twice(tmp_path: Path, kills: int):
    """Killed where the file has grown to a random length, that is while a chunk is sampled or written."""
    assert finish(rejection, tmp_path / "whole") == 0
    whole = (tmp_path / "whole" / "solutions.jsonl").read_bytes()
    rng = random.Random(kills)
    hits, file = 0, tmp_path / "cut" / "solutions.jsonl"
    while hits < kills:
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
    print(f"rejection sampling: {hits} of {hits} kills survived")
