"""The controls: each arm is the recipe with one thing changed, and the table's figures are those of the answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import arguments
from reasonwright.ablate import ARMS, Ablation
from reasonwright.cli import main
from reasonwright.evaluation.compare import compare_greedy
from reasonwright.evaluation.intervals import wilson
from reasonwright.recipe import differences, load_recipe
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.types import UserError
from toy import SUMS

CHOSEN = "random_reward,format_only,sft_more,no_kl,group_8"


@pytest.fixture(scope="module")
def tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ablate")


@pytest.fixture(scope="module")
def argv(tmp: Path) -> list[str]:
    """Evaluated on the eight sums that SFT half knows, so that arms can differ."""
    changes = {"sft.epochs": "34", "evaluate.problems": "8", "evaluate.max_tokens": "40", "evaluate.also": "[]"}
    argv = arguments(tmp, tmp / "run", **changes)
    (tmp / "sums" / "test.jsonl").write_text(
        "".join(json.dumps({"question": p.question, "answer": p.answer}) + "\n" for p in SUMS)
    )
    return ["ablate", *argv, "--arms", CHOSEN, "--seeds", "0", "1"]


@pytest.fixture(scope="module")
def run(tmp: Path, argv: list[str]) -> Path:
    main(argv)
    return tmp / "run"


def contents(run: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file() and p.name != "env.json"
    }


def test_each_arm_is_a_run_from_the_same_sft_model(run: Path):
    names = [name for name in ("grpo", *CHOSEN.split(",")) for _ in (0, 1)]
    folders = {f"{name}-seed{i % 2}" for i, name in enumerate(names)} - {"grpo-seed0"}  # that one is the run's own
    assert {p.name for p in (run / "ablate").iterdir()} == folders
    base = load_recipe(run / "recipe.yaml")
    changed = {
        name: {d.partition(": ")[0] for d in differences(base, load_recipe(run / "ablate" / name / "recipe.yaml"))}
        for name in folders
    }
    common = {"evaluate.seed"}
    own = {
        "grpo": set(),
        "random_reward": {"grpo.reward.accuracy", "grpo.reward.functions.reasonwright.verify.rewards:coin"},
        "format_only": {"grpo.reward.accuracy", "grpo.reward.functions.reasonwright.verify.rewards:form"},
        "sft_more": {"model", "sft.epochs"},
        "no_kl": {"grpo.kl.place"},
        "group_8": {"grpo.group_size", "grpo.problems_per_step"},
    }
    for name, keys in changed.items():
        arm, _, seed = name.rpartition("-seed")
        assert keys == own[arm] | common | ({"seed"} if seed == "1" else set()), name
        stage = ARMS[arm].stage
        assert read_json(run / "ablate" / name / stage / "stage.json")["from"] == str(run / "sft")
    assert read_json(run / "grpo" / "stage.json")["from"] == str(run / "sft")


def test_an_arm_does_what_it_says(run: Path):
    def metrics(name: str, stage: str = "grpo") -> list[dict]:
        return read_jsonl(run / "ablate" / f"{name}-seed0" / stage / "metrics.jsonl")

    for row in metrics("random_reward"):
        assert row["reward"] == row["reward/reasonwright.verify.rewards:coin"]
    for row in metrics("format_only"):
        assert row["reward"] == row["reward/format"]
    rollouts = read_jsonl(run / "ablate" / "group_8-seed0" / "grpo" / "rollouts.jsonl")
    assert {len(group["completions"]) for group in rollouts} == {8}
    assert load_recipe(run / "ablate" / "group_8-seed0" / "recipe.yaml").grpo.problems_per_step == 2  # of 4 x 4
    seconds = {s: read_json(run / s / "stage.json")["seconds"] for s in ("sft", "grpo")}
    epochs = load_recipe(run / "ablate" / "sft_more-seed0" / "recipe.yaml").sft.epochs
    assert epochs == max(1, round(34 * seconds["grpo"] / seconds["sft"]))
    assert len(metrics("sft_more", "sft")) == epochs  # eight rows, one step an epoch


def test_the_figures_are_those_of_the_answers(run: Path):
    result = read_json(run / "ablate.json")
    assert list(result["arms"]) == ["sft", "grpo", *CHOSEN.split(",")]
    assert (result["seeds"], result["problems"], result["baseline"]) == ([0, 1], 8, "grpo")

    def answers(name: str, seed: int) -> list[dict]:
        place = run if (name, seed) == ("grpo", 0) else run / "ablate" / f"{name}-seed{seed}"
        return read_jsonl(place / "eval" / f"{ARMS[name].stage}.jsonl")

    for name, arm in result["arms"].items():
        if name == "sft":
            continue
        strict = np.array([[a["strict"] for a in answers(name, s)] for s in (0, 1)], dtype=float)
        base = np.array([[a["strict"] for a in answers("grpo", s)] for s in (0, 1)], dtype=float)
        assert arm["strict"]["accuracy"] == pytest.approx(strict.mean())
        assert arm["strict"]["by_seed"] == pytest.approx(strict.mean(axis=1).tolist())
        assert arm["strict"]["difference"] == pytest.approx(strict.mean() - base.mean())
        low, high = arm["strict"]["difference_ci95"]
        assert low <= arm["strict"]["difference"] <= high
        paired = [json.loads(json.dumps(compare_greedy(answers("grpo", s), answers(name, s)))) for s in (0, 1)]
        assert arm["paired"] == paired
        assert arm["seconds"] > 0
    assert result["arms"]["grpo"]["strict"]["difference"] == 0
    start = read_json(run / "eval" / "sft.json")
    assert 0 < start["accuracy"] < 1
    assert result["arms"]["sft"]["strict"]["ci95"] == pytest.approx(wilson(round(8 * start["accuracy"]), 8))


def test_again_changes_nothing(run: Path, argv: list[str], capsys: pytest.CaptureFixture[str]):
    before = contents(run)
    main(argv)
    assert contents(run) == before
    assert "Controls against grpo, n = 8" in capsys.readouterr().out


def test_what_was_lost_is_made_again_the_same(run: Path, argv: list[str]):
    weights = run / "ablate" / "no_kl-seed1" / "grpo" / "model.safetensors"
    before = weights.read_bytes()
    for file in (weights.parent / "stage.json", run / "ablate" / "no_kl-seed1" / "eval" / "grpo.json"):
        file.unlink()
    main(argv)
    assert weights.read_bytes() == before


def test_arms_that_cannot_be(tmp: Path, argv: list[str], capsys: pytest.CaptureFixture[str]):
    recipe = load_recipe(Path(argv[1]), ["--grpo.problems_per_step", "1", "--grpo.group_size", "4"])
    assert Ablation(recipe, tmp / "none", None, None).arms == [
        "grpo", "random_reward", "format_only", "sft_more", "no_kl", "no_std", "group_2"
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "left out: group_4 is what the recipe does" in said
    assert "left out: group_8 needs a multiple of 8 completions a step, and there are 4" in said
    with pytest.raises(UserError, match="group_8 needs a multiple of 8"):
        Ablation(recipe, tmp / "none", ["group_8"], None)
    with pytest.raises(UserError, match="there is no arm 'no_such'"):
        Ablation(recipe, tmp / "none", ["no_such"], None)
    assert not (tmp / "none").exists()
