"""The same recipe and seed give the same bits twice; what differs is found and told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from commands import arguments
from reasonwright.cli import main
from reasonwright.provenance import problems_sha256, weights_sha256
from reasonwright.reproduce import compare_runs
from reasonwright.runlog import read_json, read_jsonl, write_json
from reasonwright.tasks import load_task
from toy import SUMS

WEIGHTS = ("sft", "grpo", "distill/student_sft", "distill/student")
TEXTS = ("grpo/rollouts.jsonl", "rejection/solutions.jsonl", "rejection/kept.jsonl", "check.json")


@pytest.fixture(scope="module")
def tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduce")


@pytest.fixture(scope="module")
def run(tmp: Path) -> Path:
    main(["run", *arguments(tmp, tmp / "run")])
    return tmp / "run"


@pytest.fixture(scope="module")
def again(tmp: Path, run: Path) -> Path:
    main(["reproduce", str(run)])
    return tmp / "run-reproduced"


def failed(run: Path, again: Path) -> list[str]:
    return [row.what for row in compare_runs(run, again) if row.must and not row.same]


def test_two_runs_are_the_same_bits(run: Path, again: Path):
    """Of a GRPO that moved the weights."""
    for name in WEIGHTS:
        assert (run / name / "model.safetensors").read_bytes() == (again / name / "model.safetensors").read_bytes()
    assert (run / "grpo" / "model.safetensors").read_bytes() != (run / "sft" / "model.safetensors").read_bytes()
    answers = [str(f.relative_to(run)) for f in (run / "eval").glob("*.jsonl")]
    assert len(answers) == 11
    for name in (*TEXTS[:-1], *answers):
        assert (run / name).read_bytes() == (again / name).read_bytes(), name
    one, two = (read_json(r / "check.json") for r in (run, again))
    assert one["figures"] == two["figures"]
    assert failed(run, again) == []


def test_the_table(run: Path, again: Path, capsys: pytest.CaptureFixture[str]):
    """Reproducing what was reproduced compares only."""
    main(["reproduce", str(run)])
    said = capsys.readouterr().out
    assert said.rstrip().endswith("\nreproduced")
    rows = compare_runs(run, again)
    assert [row.what for row in rows][:7] == [
        "versions and hardware", "data: sft", "data: grpo", "data: rejection", "data: evaluate",
        "data: evaluate/word_problems_long", "models: embedded:tiny",
    ]  # fmt: skip
    kinds = ("data: sft", "models: embedded:tiny", "weights: student_sft", "grpo/rollouts.jsonl", "eval/sft.jsonl")
    for what in (*kinds, "accuracy: GRPO"):
        assert what in said
    assert said.count("bit for bit") == 4


def test_the_hashes_are_of_what_was_used(run: Path):
    env = read_json(run / "env.json")
    assert env["data"]["sft"] == {"problems": 8, "sha256": problems_sha256(read_sums(run))}
    assert env["data"]["rejection"]["problems"] == 6
    assert env["models"] == {"embedded:tiny": weights_sha256("embedded:tiny")}
    assert len({use["sha256"] for use in env["data"].values()}) == 4  # sft and grpo read the same rows


def read_sums(run: Path) -> list:
    problems = load_task(f"jsonl:{run.parent / 'sums'}").problems("sft")
    assert [p.question for p in problems] == [p.question for p in SUMS]
    return problems


@pytest.fixture
def other(tmp_path: Path, again: Path) -> Path:
    """A copy of the second run to meddle with."""
    return shutil.copytree(again, tmp_path / "other")


def test_a_weight_that_differs(run: Path, other: Path):
    file = other / "grpo" / "model.safetensors"
    tensors = load_file(file)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[3] += 0.25
    save_file(tensors, file)
    (row,) = [row for row in compare_runs(run, other) if row.must and not row.same]
    assert (row.what, row.detail) == ("weights: grpo", "largest difference 0.25")
    tensors[name] = torch.zeros(2)
    save_file(tensors, file)
    assert [r.detail for r in compare_runs(run, other) if r.what == "weights: grpo"] == ["other tensors"]


def test_an_answer_and_an_accuracy_that_differ(run: Path, other: Path):
    rows = read_jsonl(other / "eval" / "grpo.jsonl")
    rows[2]["text"] = "something else"
    (other / "eval" / "grpo.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    summary = read_json(other / "summary.json")
    summary["stages"]["grpo"]["accuracy"] += 0.25
    write_json(other / "summary.json", summary)
    found = {row.what: row.detail for row in compare_runs(run, other) if row.must and not row.same}
    assert found == {"eval/grpo.jsonl": "1 rows differ", "accuracy: GRPO": "0.0% -> 25.0%"}


def test_on_another_machine_bits_may_differ_but_data_and_accuracy_may_not(run: Path, other: Path):
    env = read_json(other / "env.json")
    env["cpu"], env["versions"]["torch"] = "an abacus", "3.0"
    write_json(other / "env.json", env)
    tensors = load_file(other / "sft" / "model.safetensors")
    save_file({k: v * 1.001 for k, v in tensors.items()}, other / "sft" / "model.safetensors")
    rows = compare_runs(run, other)
    assert [(row.what, row.same, row.must) for row in rows[:2]] == [("cpu", False, False), ("torch", False, False)]
    assert "-> an abacus" in rows[0].detail
    assert not next(row for row in rows if row.what == "weights: sft").same
    assert failed(run, other) == []
    env["data"]["evaluate"]["sha256"] = "0"
    env["models"]["embedded:tiny"] = "1"
    write_json(other / "env.json", env)
    summary = read_json(other / "summary.json")
    summary["stages"]["grpo"] |= {"accuracy": 1.0, "ci95": [0.51, 1.0]}  # the run's own is [0, 0.49]
    write_json(other / "summary.json", summary)
    assert failed(run, other) == ["data: evaluate", "models: embedded:tiny", "accuracy: GRPO"]


def test_the_command_ends_with_3_where_a_run_was_not_reproduced(run: Path, other: Path, capsys):
    (other / "grpo" / "rollouts.jsonl").write_text("")
    with pytest.raises(SystemExit) as caught:
        main(["reproduce", str(run), "--out", str(other)])
    assert caught.value.code == 3
    assert "not reproduced: grpo/rollouts.jsonl" in capsys.readouterr().out


def test_what_cannot_be_reproduced(tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    for argv, words in (
        ([str(tmp_path)], "no finished run"),
        ([str(run), "--out", str(run)], "is the run itself"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(["reproduce", *argv])
        assert caught.value.code == 2
        assert words in capsys.readouterr().err


def test_a_run_does_not_go_on_with_other_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["sft", *arguments(tmp_path, tmp_path / "run", **{"sft.epochs": "1"})])
    with (tmp_path / "sums" / "train.jsonl").open("a") as file:
        file.write('{"question": "What is 1 + 1?", "answer": "2", "solution": "1 + 1 = 2."}\n')
    rest = arguments(tmp_path / "elsewhere", tmp_path / "run", **{"sft.epochs": "1"}, task=f"jsonl:{tmp_path / 'sums'}")
    with pytest.raises(SystemExit) as caught:
        main(["grpo", *rest])
    assert caught.value.code == 2
    assert "the data of" in (error := capsys.readouterr().err)
    assert "(sft) changed since it was started" in error
    with pytest.raises(SystemExit):
        main(["grpo", *rest, "--accept-changes"])
    assert "doomed" in capsys.readouterr().err  # after one epoch nothing is right, but the new problems were taken
