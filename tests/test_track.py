"""Metrics sent to a tracker: each row once, also when a stage is gone on with; a broken tracker stops nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from reasonwright import track
from reasonwright.recipe import make_recipe
from reasonwright.runlog import append_jsonl
from reasonwright.types import UserError

ROWS = [{"step": i, "reward": i / 10, "eval/accuracy": None, "pass_rate_histogram": [1, 2]} for i in range(4)]


def needs(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"TRACKER NOT TESTED: {package} is not installed (`pip install 'reasonwright[track]'`)")


def scalars(run: Path, stage: str, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard" / stage))
    events.Reload()
    assert events.Tags()["scalars"] == ["reward"]
    return [(event.step, round(event.value, 6)) for event in events.Scalars(name)]


def test_tensorboard_gets_every_row_once(tmp_path: Path):
    needs("tensorboard")
    file = tmp_path / "distill" / "student" / "metrics.jsonl"
    with track.tracked("tensorboard", tmp_path, "distill/student"):
        append_jsonl(file, ROWS[:2])
    with track.tracked("tensorboard", tmp_path, "distill/student"):  # gone on with
        append_jsonl(file, ROWS[2:])
    assert scalars(tmp_path, "distill/student", "reward") == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


def test_a_broken_tracker_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def broken(run: Path, stage: str):
        raise ConnectionError("no network")

    monkeypatch.setitem(track.WRITERS, "wandb", broken)
    with track.tracked("wandb", tmp_path, "grpo"):
        append_jsonl(tmp_path / "grpo" / "metrics.jsonl", ROWS)
    assert "wandb failed (no network)" in capsys.readouterr().out


def test_no_tracker_writes_nothing(tmp_path: Path):
    with track.tracked(None, tmp_path, "grpo"):
        append_jsonl(tmp_path / "grpo" / "metrics.jsonl", ROWS)
    assert [path.name for path in (tmp_path / "grpo").iterdir()] == ["metrics.jsonl"]


def test_a_missing_library_is_said_with_its_mend(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    track.require_tracker(None)
    with pytest.raises(UserError, match=r"track is trackio, which is not installed: .*reasonwright\[track\]"):
        track.require_tracker("trackio")


def test_the_recipe_knows_three():
    assert make_recipe({"name": "x", "track": "wandb"}, "test").track == "wandb"
    with pytest.raises(UserError, match="track"):
        make_recipe({"name": "x", "track": "mlflow"}, "test")
