"""Adapters through SFT and GRPO: gone on with, against a reference that is no second model, from stage to stage."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from commands import arguments
from reasonwright.cli import main
from reasonwright.models.load import load_model
from reasonwright.models.lora import add_adapter
from reasonwright.models.settings import LoraSettings
from reasonwright.recipe import load_recipe
from reasonwright.runlog import read_json, read_jsonl
from reasonwright.training.grpo import train_grpo
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Reward, UserError, Verdict
from toy import SUMS, fresh_model, same_weights, toy_chat, weights, without_times

GRPO = GRPOSettings.model_validate(
    {
        "steps": 6,
        "problems_per_step": 3,
        "group_size": 4,
        "max_tokens": 6,
        "kl": {"place": "reward", "beta": 0.05},
        "optim": {"lr": 3e-2, "schedule": "constant"},
        "checkpoint_every": 2,
        "eval_every": 1,
    }
)


def low_ids(_, completion) -> Reward:
    value = sum(token < 512 for token in completion.token_ids) / len(completion.token_ids)
    return Reward(value, value, {"low": value}, Verdict(value > 0.5, False, None))


def run_grpo(folder: Path, stop_before: int | None = None):
    seen = []

    def evaluate() -> float:
        seen.append(None)
        if len(seen) - 1 == stop_before:
            raise KeyboardInterrupt
        return 0.5

    model = add_adapter(fresh_model(), LoraSettings(rank=4), seed=1)
    train_grpo(model, toy_chat(), SUMS, low_ids, GRPO, seed=5, folder=folder, evaluate=evaluate)
    return weights(model), read_jsonl(folder / "metrics.jsonl")


def test_grpo_goes_on_and_keeps_no_second_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deepcopy = copy.deepcopy

    def of_no_model(x, memo=None):
        assert not isinstance(x, torch.nn.Module)
        return deepcopy(x, memo)

    monkeypatch.setattr(copy, "deepcopy", of_no_model)
    expected, rows = run_grpo(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_grpo(tmp_path / "cut", 3)
    got, gone_on = run_grpo(tmp_path / "cut")
    assert same_weights(got, expected)
    assert [without_times(r) for r in gone_on] == [without_times(r) for r in rows]
    assert rows[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert rows[-1]["kl"] > 1e-4
    assert max(row["sampler_gap"] for row in rows) < 1e-4
    before = weights(fresh_model())
    kept = {name.removeprefix("base_model.model.").replace(".base_layer", ""): w for name, w in got.items()}
    assert all(torch.equal(kept[name], w) for name, w in before.items())


def test_from_stage_to_stage(tmp_path: Path):
    """SFT leaves an adapter alone; GRPO starts from it merged, adds its own and leaves a whole model."""
    out = tmp_path / "run"
    lora = {"sft.lora.save": "adapter", "sft.lora.rank": "16", "grpo.lora.rank": "2", "grpo.steps": "2"}
    coin = {"grpo.reward.accuracy": "0.0", "grpo.reward.functions": "{'reasonwright.verify.rewards:coin': 1.0}"}
    settings = arguments(
        tmp_path, out, **{"sft.epochs": "30", "sft.optim.lr": "3e-2", "grpo.kl.place": "loss"} | lora | coin
    )
    main(["sft", *settings])
    config = read_json(out / "sft" / "adapter_config.json")
    assert config["r"] == 16
    assert not (out / "sft" / "config.json").exists()
    losses = [row["loss"] for row in read_jsonl(out / "sft" / "metrics.jsonl")]
    assert losses[-1] < losses[0] / 2
    main(["grpo", *settings])
    assert (out / "grpo" / "config.json").exists()
    assert not (out / "grpo" / "adapter_config.json").exists()
    assert read_jsonl(out / "grpo" / "metrics.jsonl")[0]["kl"] == pytest.approx(0, abs=1e-6)
    base, sft, grpo = (load_model(m) for m in ("embedded:tiny", str(out / "sft"), str(out / "grpo")))
    for name, p in base.named_parameters():
        one, other = sft.get_parameter(name), grpo.get_parameter(name)
        linear = "proj" in name
        assert torch.equal(p, one) != linear, name
        if not linear:
            assert torch.equal(p, other), name


def test_an_adapter_on_an_adapter_is_refused(tmp_path: Path):
    (tmp_path / "r.yaml").write_text("name: x\nsft: {lora: {save: adapter}}\ngrpo: {lora: null}")
    assert load_recipe(tmp_path / "r.yaml").grpo.lora is None
    with pytest.raises(UserError, match="grpo's adapter cannot lie on sft's"):
        load_recipe(tmp_path / "r.yaml", ["--grpo.lora.save", "adapter"])
    with pytest.raises(UserError, match=r"unknown key grpo.lora.rnak; the nearest known key is grpo.lora.rank"):
        load_recipe(tmp_path / "r.yaml", ["--grpo.lora.rnak", "8"])
