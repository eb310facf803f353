"""One run of every stage by the real command; then again, killed, changed, and stage by stage."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from commands import SETTINGS, SMOKE, arguments, call, command
from places import ROOT
from reasonwright.cli import main
from reasonwright.models.precision import compute_dtype
from reasonwright.pipeline import Pipeline, hold_out
from reasonwright.recipe import load_recipe
from reasonwright.runfolder import locked
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.training.checkpoint import committed
from reasonwright.types import UserError

MODELS = ("sft", "grpo", "distill/student_sft", "distill/student")
STAGES = ["base_direct", "base_cot", "sft", "grpo", "student_sft", "student"]
STEPS = {"grpo.steps": "12"}


@pytest.fixture(scope="module")
def tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def run(tmp: Path) -> Path:
    """A finished run; tests leave it as it is."""
    done = call("run", *arguments(tmp, tmp / "run", **STEPS))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "student, distilled" in done.stdout
    return tmp / "run"


def again(tmp: Path, run: Path, **changes: str) -> list[str]:
    return ["run", *arguments(tmp, run, **STEPS | changes)]


def contents(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file()}


def weights_of(run: Path) -> dict[str, bytes]:
    return {name: (run / name / "model.safetensors").read_bytes() for name in MODELS}


def test_the_folder_is_complete(run: Path):
    names = {p.name for p in run.iterdir()} - {".lock"}
    assert names == {
        "recipe.yaml", "env.json", "sft", "grpo", "rejection", "distill", "eval", "summary.json", "report.html",
        "check.json",
    }  # fmt: skip
    assert {p.name for p in (run / "rejection").iterdir()} == {
        "solutions.jsonl", "kept.jsonl", "stats.json", "stage.json"
    }  # fmt: skip
    for name in MODELS:
        files = {p.name for p in (run / name).iterdir()}
        assert files >= {"metrics.jsonl", "stage.json", "README.md", "chat_template.jinja", "generation_config.json"}
        assert "spent.json" not in files
        assert len(committed(run / name / "checkpoints")) <= (name == "grpo")  # only one that was better than the last
    assert (run / "grpo" / "rollouts.jsonl").exists()
    assert not list(run.rglob("*.partial"))
    assert "student" in (run / "report.html").read_text(encoding="utf-8")


def test_the_summary(run: Path):
    summary = read_json(run / "summary.json")
    assert summary.keys() == {"stages", "paired", "also", "seconds", "versions", "seed"}
    assert list(summary["stages"]) == STAGES
    for name, figures in summary["stages"].items():
        assert figures.keys() >= {"accuracy", "accuracy_lenient", "n", "ci95", "mean_tokens"}
        low, high = figures["ci95"]
        assert low <= figures["accuracy"] <= high
        answers = read_jsonl(run / "eval" / f"{name}.jsonl")
        assert figures["n"] == len(answers) == 4
        assert figures["accuracy"] == sum(a["strict"] for a in answers) / 4
        assert figures["accuracy_lenient"] == sum(a["lenient"] for a in answers) / 4
    assert list(summary["also"]) == ["word_problems_long"]
    assert set(summary["also"]["word_problems_long"]) == set(STAGES) - {"base_direct"}
    assert summary["seconds"].keys() == {"evaluate", "sft", "grpo", "rejection", "student_sft", "student"}
    assert summary["seconds"]["sft"] > 0
    assert summary["seed"] == 0
    assert "torch" in summary["versions"]


def test_the_summarys_pairs(run: Path):
    pairs = read_json(run / "summary.json")["paired"]
    assert [(p["first"], p["second"]) for p in pairs] == [("sft", "grpo"), ("student_sft", "student")]
    for pair in pairs:
        one, other = ([r["strict"] for r in read_jsonl(run / "eval" / f"{pair[k]}.jsonl")] for k in ("first", "second"))
        strict = pair["greedy"]["strict"]
        assert strict["difference"] == (sum(other) - sum(one)) / 4
        assert strict["only_second"] == sum(b and not a for a, b in zip(one, other, strict=True))
        assert strict["ci95"][0] <= strict["difference"] <= strict["ci95"][1]


def test_the_behaviours(run: Path, tmp: Path, capsys: pytest.CaptureFixture[str]):
    found = read_json(run / "eval" / "behaviours.json")
    assert list(found) == ["base_cot", "sft", "grpo", "student"]
    for stage, figures in found.items():
        assert figures.keys() == {"n", "verification", "backtracking", "thinking", "steps", "causal"}
        assert figures["n"] == 4
        assert (figures["verification"]["minus_base"] is None) == (stage == "base_cot")
    again = shutil.copytree(run, tmp / "measured again")
    (again / "eval" / "behaviours.json").unlink()
    main(["behaviours", str(again)])
    assert read_json(again / "eval" / "behaviours.json") == found
    assert "grpo" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["behaviours", str(tmp / "no run")])


def test_every_model_was_asked_the_same(run: Path):
    asked = {s: [(a["id"], a["question"]) for a in read_jsonl(run / "eval" / f"{s}.jsonl")] for s in STAGES}
    assert all(questions == asked["base_direct"] for questions in asked.values())
    assert asked["sft"][0][1] == "What is 1 + 2?"  # of test.jsonl


def test_what_was_kept_is_right_and_was_trained_on(run: Path):
    kept = read_jsonl(run / "rejection" / "kept.jsonl")
    solutions = read_jsonl(run / "rejection" / "solutions.jsonl")
    assert len(solutions) == 24
    assert kept
    assert all(row["strict"] and row in solutions for row in kept)
    stats = read_json(run / "rejection" / "stats.json")
    assert (stats["sampled"], stats["kept"]) == (24, len(kept))
    assert read_jsonl(run / "distill" / "student_sft" / "metrics.jsonl")[-1]["step"] == 1


def test_the_curves(run: Path):
    sft = read_jsonl(run / "sft" / "metrics.jsonl")
    assert [row["step"] for row in sft] == list(range(140))
    assert sft[-1]["loss"] < sft[0]["loss"] / 2
    grpo = read_jsonl(run / "grpo" / "metrics.jsonl")
    assert [row["step"] for row in grpo] == list(range(12))
    assert [row["step"] for row in grpo if "eval/accuracy" in row] == [1, 3, 5, 7, 9, 11]
    assert grpo[0]["kl"] is None or grpo[0]["kl"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_plain_transformers_loads_every_model(run: Path, name: str):
    model = AutoModelForCausalLM.from_pretrained(run / name)
    tokenizer = AutoTokenizer.from_pretrained(run / name)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 2 + 3?"}], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    out = model.generate(ids, max_new_tokens=40, do_sample=False)
    ours = read_jsonl(run / "eval" / "sft.jsonl")
    assert torch.isfinite(model(ids).logits).all()
    assert out.shape[1] > ids.shape[1]
    assert ours
    if name == "sft":  # it was learned by heart, and ends by itself
        said = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=False)
        assert said.startswith("<think>\n2 + 3 = 5.\n</think>\n\nThe answer is 5.")
        assert model.generation_config.eos_token_id is not None


@pytest.mark.parametrize("name", MODELS)
def test_the_cards(run: Path, name: str):
    card = (run / name / "README.md").read_text(encoding="utf-8")
    start = {"sft": "embedded:tiny", "grpo": str(run / "sft")}.get(name, "embedded:tiny")
    assert f"`{start}`" in card
    assert "jsonl:" in card
    assert "Held-out accuracy" in card
    assert "n = 4" in card
    assert "Last training step" in card


def test_again_is_quick_and_changes_nothing(tmp: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    before = contents(run)
    began = time.perf_counter()
    main(again(tmp, run))
    assert time.perf_counter() - began < 10
    assert contents(run) == before
    assert "student, distilled" in capsys.readouterr().out


def test_the_saved_recipe_runs_as_it_is(run: Path):
    before = contents(run)
    main(["run", str(run / "recipe.yaml"), "--out", str(run)])
    assert contents(run) == before


def test_another_recipe_is_refused(tmp: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(again(tmp, run, **{"grpo.group_size": "8"}))
    assert caught.value.code == 2
    assert "grpo.group_size: 4 -> 8" in capsys.readouterr().err


def test_another_recipe_is_gone_on_with_when_told(tmp: Path, run: Path):
    out = tmp / "changed" / "run"
    shutil.copytree(run, out)
    (out / "summary.json").unlink()
    main([*again(tmp, out, **{"evaluate.base_shots": "0"}), "--accept-changes"])
    assert load_recipe(out / "recipe.yaml").evaluate.base_shots == 0
    (row,) = read_jsonl(out / "recipe_changes.jsonl")
    assert row["changes"] == ["evaluate.base_shots: 1 -> 0"]
    assert weights_of(out) == weights_of(run)


def test_a_second_run_at_the_same_time_is_refused(tmp: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    with locked(run), pytest.raises(SystemExit) as caught:
        main(again(tmp, run))
    assert caught.value.code == 2
    assert "another run is using" in capsys.readouterr().err


def test_killed_in_grpo_and_run_again(tmp: Path, run: Path):
    """The rest of the run comes out as if nothing had happened, bit for bit."""
    killed = tmp / "killed" / "run"
    shutil.copytree(run, killed)
    for name in ("grpo", "rejection", "distill", "summary.json", "report.html"):
        place = killed / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    for stage in ("grpo", "student", "student_sft"):
        for file in (killed / "eval").glob(f"{stage}.*"):
            file.unlink()
    metrics = killed / "grpo" / "metrics.jsonl"
    process = subprocess.Popen(command(*again(tmp, killed)), cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while len(read_jsonl(metrics)) < 2:
            assert process.poll() is None
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (killed / "grpo" / "stage.json").exists()
    assert list((killed / "grpo" / "checkpoints").glob("checkpoint-*"))
    (killed / "grpo" / "checkpoints" / "checkpoint-99.partial").mkdir()
    done = call(*again(tmp, killed))
    assert done.returncode == 0, done.stderr
    assert weights_of(killed) == weights_of(run)
    for name in ("grpo/rollouts.jsonl", "rejection/solutions.jsonl", "rejection/kept.jsonl", "eval/student.jsonl"):
        assert (killed / name).read_bytes() == (run / name).read_bytes(), name
    assert [row["step"] for row in read_jsonl(metrics)] == list(range(12))
    assert contents(killed / "grpo" / "checkpoints") == contents(run / "grpo" / "checkpoints")
    figures = [
        {s: {k: v for k, v in f.items() if k != "seconds"} for s, f in read_json(r / "summary.json")["stages"].items()}
        for r in (killed, run)
    ]
    assert figures[0] == figures[1]


def test_stage_by_stage(tmp: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    """Each command does its stage and no other, and together they give the run's models."""
    out = tmp / "stages" / "run"
    made = {"sft": {"sft"}, "grpo": {"sft", "grpo"}, "sample": {"sft", "grpo", "rejection"}}
    for name in ("sft", "grpo", "sample", "distill"):
        main([name, *arguments(tmp, out, **STEPS)])
        if name in made:
            assert {p.name for p in out.iterdir() if p.is_dir()} == made[name]
    assert weights_of(out) == weights_of(run)
    assert "another folder" in _refused(capsys, ["grpo", *arguments(tmp, out, **STEPS), "--from", "embedded:tiny"])
    main(["report", str(out)])
    assert str(out / "report.html") in capsys.readouterr().out


def _refused(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_grpo_and_sampling_from_any_model(tmp: Path, run: Path):
    out = tmp / "from" / "run"
    teacher = str(run / "sft")
    short = arguments(tmp, out, **{"grpo.steps": "1"})
    main(["grpo", *short, "--from", teacher])
    main(["sample", *short, "--from", teacher])
    assert read_json(out / "grpo" / "stage.json")["from"] == teacher
    assert read_json(out / "rejection" / "stage.json")["from"] == teacher
    assert not (out / "sft").exists()


def test_held_out_problems_are_the_last_of_the_training_split():
    assert hold_out([1, 2, 3, 4], 1) == ([1, 2, 3], [4])  # type: ignore[list-item]
    assert hold_out([1, 2], 0) == ([1, 2], [])  # type: ignore[list-item]
    with pytest.raises(UserError, match="leaves none to train on"):
        hold_out([1, 2], 2)  # type: ignore[list-item]


def test_distill_rows_limit_what_the_student_sees(tmp: Path, run: Path):
    """A setting that nobody reads would be a bug."""
    out = tmp / "rows" / "run"
    shutil.copytree(run, out)
    shutil.rmtree(out / "distill")
    (out / "recipe.yaml").unlink()
    main(["distill", *arguments(tmp, out, **STEPS, **{"distill.rows": "1", "distill.batch_size": "1"})])
    for student in ("student", "student_sft"):
        assert [row["step"] for row in read_jsonl(out / "distill" / student / "metrics.jsonl")] == [0, 1]  # 2 epochs


@pytest.mark.slow
def test_the_smoke_recipe_as_it_is(tmp_path: Path):
    began = time.perf_counter()
    done = call("run", ROOT / "recipes" / "smoke.yaml", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - began < 60
    assert list(json.loads((tmp_path / "run" / "summary.json").read_text())["stages"]) == STAGES


def test_the_settings_here_are_the_recipes(tmp: Path):
    """A key of `SETTINGS` that left the recipe would fail the run with a less helpful message."""
    values = [part for key, value in SETTINGS.items() for part in (f"--{key}", value)]
    assert load_recipe(ROOT / "recipes" / "smoke.yaml", values).name == "smoke"


def test_what_to_compute_in_reaches_the_models_and_is_looked_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pipeline = Pipeline(load_recipe(SMOKE, ["--compute", "bfloat16", "--device", "cpu"]), tmp_path)
    assert compute_dtype(pipeline._load("embedded:tiny")[0]) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    pipeline.device = "cuda"
    with pytest.raises(UserError, match="Tesla T4"):
        pipeline.check()
