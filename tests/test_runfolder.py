"""The run folder: one run at a time, one recipe for good, records that survive a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasonwright.recipe import load_recipe, make_recipe
from reasonwright.runfolder import locked, open_run, stage_done
from reasonwright.runlog import (
    append_jsonl,
    keep_steps_before,
    last_metrics,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
)
from reasonwright.types import UserError


def test_a_second_run_is_refused_until_the_first_ends(tmp_path: Path):
    with locked(tmp_path / "run"):
        with pytest.raises(UserError, match="another run is using"), locked(tmp_path / "run"):
            pass
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "run"):
        pass


@pytest.mark.parametrize("place", ["a file/run", "/proc/nothing/run"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, place: str):
    (tmp_path / "a file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), locked(tmp_path / place):
        pass


def test_a_run_goes_on_with_its_recipe_only(tmp_path: Path):
    recipe = make_recipe({"name": "x", "grpo": {"steps": 3}}, "here")
    open_run(tmp_path, recipe)
    open_run(tmp_path, recipe)
    assert load_recipe(tmp_path / "recipe.yaml") == recipe
    other = make_recipe({"name": "x", "grpo": {"steps": 4}}, "here")
    with pytest.raises(UserError, match=r"other settings \(grpo\.steps: 3 -> 4\)"):
        open_run(tmp_path, other)
    assert load_recipe(tmp_path / "recipe.yaml") == recipe


def test_the_environment_is_recorded(tmp_path: Path):
    open_run(tmp_path, make_recipe({"name": "x"}, "here"))
    env = read_json(tmp_path / "env.json")
    assert env.keys() >= {"versions", "python", "platform", "cpu", "cores", "threads", "gpu", "git", "argv", "time"}
    assert env["versions"].keys() >= {"reasonwright", "torch", "transformers"}


def test_stage_done(tmp_path: Path):
    assert stage_done(tmp_path) is None
    write_json(tmp_path / "stage.json", {"seconds": 1.0})
    assert stage_done(tmp_path) == {"seconds": 1.0}


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path):
    file = tmp_path / "metrics.jsonl"
    append_jsonl(file, [{"step": i, "x": float("nan")} for i in range(5)])
    with file.open("a") as f:
        f.write('{"step": 5, "x"')  # cut by a kill
    keep_steps_before(file, 3)
    assert read_jsonl(file) == [{"step": i, "x": None} for i in range(3)]
    assert file.read_bytes().endswith(b"}\n")
    append_jsonl(file, [{"step": 3}])
    assert last_metrics(file) == {}
    keep_steps_before(tmp_path / "none.jsonl", 3)
    assert last_metrics(tmp_path / "none.jsonl") == {}


def test_files_are_written_whole_or_not_at_all(tmp_path: Path):
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("inf")})
    assert read_json(tmp_path / "a.json") == {"x": 1}

    def rows():
        yield {"x": 1}
        raise KeyboardInterrupt

    write_jsonl(tmp_path / "a.jsonl", [{"x": 0}])
    with pytest.raises(KeyboardInterrupt):
        write_jsonl(tmp_path / "a.jsonl", rows())
    assert read_jsonl(tmp_path / "a.jsonl") == [{"x": 0}]
    write_jsonl(tmp_path / "a.jsonl", [])
    assert (tmp_path / "a.jsonl").read_bytes() == b""


def test_rows_of_any_text_come_back(tmp_path: Path):
    texts = ["a\nb", "\u2028 \x85", "ü", '"', "\\", "", "\x00"]
    append_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    assert [row["text"] for row in read_jsonl(tmp_path / "a.jsonl")] == texts
    assert [json.loads(line)["text"] for line in (tmp_path / "a.jsonl").read_text("utf-8").split("\n")[:-1]] == texts
