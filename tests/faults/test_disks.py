"""Disks that are full or read-only: one sentence with path and bytes, and what was committed stays as it was."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from children import command, finish
from disks import contents, disk, remount
from safetensors.torch import save_file

from commands import arguments
from reasonwright.models.load import load_tokenizer
from reasonwright.runlog import append_jsonl, read_jsonl, write_json, write_jsonl, writing
from reasonwright.training.checkpoint import Checkpoints, State, committed
from reasonwright.types import UserError
from toy import fill, numbered

PAGE = os.sysconf("SC_PAGE_SIZE")


def one_committed(place: Path) -> tuple[Checkpoints, dict[str, bytes]]:
    checkpoints = numbered(place / "checkpoints")
    fill(checkpoints.policy, 1)
    checkpoints.commit(State(1))
    fill(checkpoints.policy, 2)
    return checkpoints, contents(place)


def failed(checkpoints: Checkpoints, before: dict[str, bytes]) -> str:
    """What a commit says that fails, and leaves all as it was."""
    with pytest.raises(UserError) as caught:
        checkpoints.commit(State(2))
    assert contents(checkpoints.folder.parent) == before
    assert [p.name for p in checkpoints.folder.iterdir()] == ["checkpoint-1"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_too_little_room_is_seen_before_anything_is_written(tmp_path: Path):
    with disk(tmp_path / "disk", "size=1100k") as place:
        checkpoints, before = one_committed(place)
        said = failed(checkpoints, before)
        size = 3 * sum(p.nbytes for p in checkpoints.policy.model.parameters())
        found = re.search(rf"{place}/checkpoints/checkpoint-2 of ([\d,]+) bytes, ([\d,]+) are free", said)
        assert found
        needed, free = (int(text.replace(",", "")) for text in found.groups())
        assert size <= needed < 1.01 * size  # weights, two moments, and step counts
        assert free < needed
        remount(place, "size=4m")
        checkpoints.commit(State(2))
        assert checkpoints.load().step == 2


def test_full_in_the_middle_of_any_file(tmp_path: Path):
    """There was room when it began, for all but the last kilobytes: it fills up in another file each time."""
    with disk(tmp_path / "disk", "size=4m") as place:
        checkpoints, before = one_committed(place)
        needed = sum(len(data) for name, data in before.items() if name.endswith(".safetensors"))
        for extra in range(0, 18 * PAGE, PAGE):
            filler = place / "filler"
            stat = os.statvfs(place)
            filler.write_bytes(bytes(stat.f_bavail * stat.f_frsize - needed - extra))
            assert "has no room for" in failed(checkpoints, before | {"filler": filler.read_bytes()})
            filler.unlink()
        checkpoints.commit(State(2))


def test_no_room_for_one_file_more(tmp_path: Path):
    """Each file in turn is the one that cannot be made: weights, tokenizer, moments, state, manifest."""
    with disk(tmp_path / "disk", "size=8m,nr_inodes=200") as place:
        checkpoints, before = one_committed(place)
        used = (lambda s: s.f_files - s.f_ffree)(os.statvfs(place))
        for more in range(len(before) + 1):  # the folder, and each file in it
            remount(place, f"nr_inodes={used + more}")
            assert "has no room for" in failed(checkpoints, before), more
        remount(place, "nr_inodes=200")
        checkpoints.commit(State(2))


def test_read_only(tmp_path: Path):
    with disk(tmp_path / "disk", "size=8m") as place:
        checkpoints, before = one_committed(place)
        remount(place, "ro")
        said = failed(checkpoints, before)
        assert said.startswith(f"{place}/checkpoints/checkpoint-2 cannot be written: Read-only file system")
        log = tmp_path / "log"
        assert finish(command, "sft", *arguments(tmp_path, place / "run"), log=log) == 2
        assert log.read_text().startswith(f"error: run folder {place}/run cannot be written: Read-only file system")
        assert log.read_text().count("\n") == 1  # before training
        assert contents(place) == before


def test_every_kind_of_write_says_it(tmp_path: Path):
    writes = {
        "a.json": lambda path: write_json(path, ["x" * 90_000]),
        "a.jsonl": lambda path: append_jsonl(path, [{"x": "x" * 90_000}]),
        "b.jsonl": lambda path: write_jsonl(path, [{"x": "x" * 90_000}]),
        "a.safetensors": lambda path: save_file({"x": torch.ones(90_000)}, path),
        "a.tokenizer": lambda path: load_tokenizer("embedded:tiny").save_pretrained(path),
        "a.txt": lambda path: path.write_text("x" * 90_000),
    }
    with disk(tmp_path / "disk", f"size={3 * PAGE}") as place:
        for name, write in writes.items():
            with pytest.raises(UserError, match=f"no room for {place}/{name}"), writing(place / name):
                write(place / name)
            for left in filter(Path.is_file, place.rglob("*")):
                left.unlink()
        write_json(place / "b.json", 1)
        before = contents(place)
        with pytest.raises(UserError, match=r"b\.json of 90,004 bytes"):
            write_json(place / "b.json", ["x" * 89_995])
        assert contents(place)["b.json"] == before["b.json"]


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        1 / 0  # noqa: B018
    with pytest.raises(FileNotFoundError), writing(tmp_path):
        (tmp_path / "no").read_bytes()


def test_no_room_for_the_finished_model(tmp_path: Path):
    """The last checkpoint fits: it is gone on from once there is room."""
    with disk(tmp_path / "disk", "size=900k") as place:
        argv = ["sft", *arguments(tmp_path, place / "run", **{"sft.epochs": "2"})]
        assert finish(command, *argv, log=tmp_path / "log") == 2
        error = (tmp_path / "log").read_text().splitlines()[-1]
        assert re.match(rf"error: the disk has no room for {place}/run/sft/model\.safetensors of [\d,]+ bytes, ", error)
        assert not (place / "run" / "sft" / "config.json").exists()
        remount(place, "size=4m")
        assert finish(command, *argv) == 0
        assert (place / "run" / "sft" / "stage.json").exists()
        assert len(read_jsonl(place / "run" / "sft" / "metrics.jsonl")) == 2


def test_a_run_on_a_small_disk(tmp_path: Path):
    """Two checkpoints fit on 2 MB and the third does not; given room, the same command ends as one that had it."""
    steps = {"sft.epochs": "12", "sft.checkpoint_every": "2"}
    assert finish(command, "sft", *arguments(tmp_path, tmp_path / "run", **steps)) == 0
    with disk(tmp_path / "disk", "size=2m") as place:
        argv = ["sft", *arguments(tmp_path, place / "run", **steps)]
        seen = []
        for attempt in ("one", "two"):
            log = tmp_path / attempt
            assert finish(command, *argv, log=log) == 2
            error = log.read_text().splitlines()[-1]
            assert re.match(
                rf"error: the disk has no room for {place}/run/sft/checkpoints/checkpoint-6 of [\d,]+ bytes, ", error
            )
            assert "Traceback" not in log.read_text()
            assert not list(place.rglob("*.partial"))
            found = committed(place / "run" / "sft" / "checkpoints")
            assert [p.name for p in found] == ["checkpoint-2", "checkpoint-4"]
            seen.append({p.name: contents(p) for p in found})
        assert seen[0] == seen[1]
        remount(place, "size=16m")
        assert finish(command, *argv) == 0
        weights = [(folder / "sft" / "model.safetensors").read_bytes() for folder in (place / "run", tmp_path / "run")]
        assert weights[0] == weights[1]
        assert [row["step"] for row in read_jsonl(place / "run" / "sft" / "metrics.jsonl")] == list(range(12))
