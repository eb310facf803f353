"""What the planner says of memory against what models, optimisers and caches really hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peak_of_a_step import write_model

from commands import SMOKE
from reasonwright.chat import ChatFormat
from reasonwright.cli import main
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import packs_flat, prepare
from reasonwright.models.layers import checkpoint_layers, recompute_units
from reasonwright.models.load import load_config
from reasonwright.models.lora import add_adapter
from reasonwright.models.precision import compute_in
from reasonwright.models.settings import Compute, LoraSettings
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.planner.command import Speed, seconds_of
from reasonwright.planner.memory import _kept, _layer, _small, check_fits, fitting_micro_batch, memory, peak
from reasonwright.planner.stages import Work, works_of
from reasonwright.recipe import load_recipe
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.policy import Policy
from reasonwright.training.settings import OptimSettings
from reasonwright.types import UserError
from toy_models import toy_model
from toy_tokenizers import chatml_tags

WORK = Work(
    "grpo", "none", prompt=9, completion=24, sequences=12, steps=5, group=4, positions=3 * 9 + 12 * 24,
    optim=OptimSettings(micro_batch_tokens=100), reference=True,
)  # fmt: skip


@pytest.mark.parametrize("lora", [None, LoraSettings(rank=4)])
@pytest.mark.parametrize("kind", ["qwen3 tied", "llama", "gemma3"])
def test_what_can_be_counted_is_counted(kind: str, lora: LoraSettings | None):
    model = prepare(toy_model(kind))
    whole = sum(p.nbytes for p in model.parameters())
    parts = memory(replace(WORK, lora=lora), model.config, "cpu")
    assert parts.get("reference", 0) == (0 if lora else whole)
    model = add_adapter(model, lora, 0) if lora else model
    assert parts["weights"] == sum(p.nbytes for p in model.parameters())
    policy = Policy(model, WORK.optim, 10)
    sequences = [TokenSequence([5, 6, 7], [8, 9])]
    [batch] = pack(sequences, [1.0], micro_batch_tokens=100, flat=packs_flat(model))
    policy.update([batch], sft_loss)
    assert parts["gradients"] == sum(p.nbytes for p in model.parameters() if p.requires_grad)
    moments = [s[name] for s in policy.optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert parts["moments"] == sum(m.nbytes for m in moments)


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
def test_the_cache_and_the_copies_are_as_large_as_the_samplers(compute: Compute):
    model = compute_in(toy_model("qwen3"), compute)
    sampler = NativeSampler(model, ChatFormat(chatml_tags()))
    sampler.sample([SampleRequest([5] * 9, str(i)) for i in range(3)], SamplingParams(4, 24))
    held = sampler.decoder.own.nbytes + sampler.decoder.prompt.nbytes
    parts = memory(replace(WORK, compute=compute), model.config, "cpu")
    assert parts["cache"] == held
    assert parts.get("copies", 0) == sum(copy.nbytes for *_, copy in sampler.weights.copies)
    assert ("copies" in parts) == (compute == "bfloat16")


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_what_bfloat16_takes_and_saves(kind: str):
    """Activations are counted by position: the casts of the weights, which are kept beside them, are not among them."""
    config, work = toy_model(kind).config, replace(WORK, compute="bfloat16")
    half, full = memory(work, config, "cpu"), memory(WORK, config, "cpu")
    assert {name: half[name] for name in ("weights", "gradients", "moments", "reference")} == {
        name: full[name] for name in ("weights", "gradients", "moments", "reference")
    }
    assert half["cache"] == full["cache"] / (2 if kind == "gemma3" else 1)  # our attention is float32 on a CPU
    assert 0.4 * full["activations"] < half["activations"] < 0.9 * full["activations"]
    model = _small(replace(WORK, compute="bfloat16"), config, 2, "cpu")
    sizes = []
    for n in (1, 3):
        sequences = [TokenSequence([token] * 9, [1] * 24) for token in range(1, n + 1)]
        [batch] = pack(sequences, [1.0] * n, micro_batch_tokens=1000, flat=packs_flat(model))
        sizes.append(_kept(model, batch))
    casts = sizes[0] - (sizes[1] - sizes[0]) / 2  # what is kept for no position at all
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert casts == pytest.approx(sum(2 * p.numel() for m in linear for p in m.parameters()), rel=0.2)
    assert peak(half) - half["casts"] >= peak(half | {"casts": 0})


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
def test_a_config_of_another_type_is_trained_in_float32(compute: Compute):
    """Hub configs say bfloat16, in which the weights were saved."""
    config = toy_model("qwen3").config
    expected = memory(replace(WORK, compute=compute), config, "cpu")
    config.dtype = "bfloat16"
    assert memory(replace(WORK, compute=compute), config, "cpu") == expected


@pytest.mark.parametrize("change", [recompute_units, checkpoint_layers])
@pytest.mark.parametrize("kind", ["qwen3", "llama biases", "gemma3"])
def test_a_layer_more_keeps_a_layer_more(kind: str, change: Callable):
    """One and two layers say what five keep."""
    config = toy_model(kind).config
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types * 3
    layer = _layer(WORK, config, "cpu", change)
    model = _small(WORK, config, 5, "cpu")
    change(model)
    sizes = []
    for n in (1, 2):  # what does not grow with the positions, such as gemma3's rotations, is no activation
        sequences = [TokenSequence([token] * 9, [1] * 24) for token in range(1, n + 1) for _ in range(2)]
        [batch] = pack(sequences, [1.0] * len(sequences), micro_batch_tokens=1000, flat=packs_flat(model))
        sizes.append((_kept(model, batch), batch.input_ids.numel()))
    (less, few), (more, many) = sizes
    assert layer.fixed + 5 * layer.bytes == pytest.approx((more - less) / (many - few), rel=0.05)


def test_the_micro_batch_that_it_names_fits_and_is_the_largest():
    config = toy_model("qwen3").config
    work = replace(WORK, positions=100_000, optim=OptimSettings(micro_batch_tokens=8192))
    parts = memory(work, config, "cpu")
    free = peak(parts) // 2
    named = fitting_micro_batch(work, config, "cpu", free)
    assert named < 8192
    assert peak(memory(work, config, "cpu", named)) <= free < peak(memory(work, config, "cpu", int(named * 1.02)))
    assert fitting_micro_batch(work, config, "cpu", peak(parts)) == 8192
    assert fitting_micro_batch(work, config, "cpu", parts["weights"]) is None


def test_what_cannot_fit_is_refused_with_the_mend():
    works = works_of(load_recipe(SMOKE))
    assert [work.stage for work in works] == ["sft", "grpo", "rejection", "student"]
    config = load_config(works[1].model)
    needed = peak(memory(works[1], config, "cpu"))
    check_fits(works[1:2], "cpu", needed)
    with pytest.raises(UserError, match=r"stage grpo needs about .* set grpo.optim.micro_batch_tokens to \d+"):
        check_fits(works[1:2], "cpu", int(0.8 * needed))
    with pytest.raises(UserError, match="train an adapter"):
        check_fits(works[1:2], "cpu", 1000)


def test_run_refuses_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["run", str(SMOKE), "--out", str(tmp_path / "run"), "--grpo.max_tokens", "1000000000"])
    assert caught.value.code == 2
    assert "stage grpo needs about" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_seconds_by_hand():
    """12 rows on 5 places are three batches; two updates ask for old log-probabilities."""
    speed = Speed(position=0.001, optimizer=0.5, prompts=1.0, token=0.1, rows=5)
    seconds = seconds_of(replace(WORK, positions=300, updates=2), speed)
    assert seconds == pytest.approx(
        {"sampling": 3 * (1 + 2.4), "training": 0.6, "optimiser": 1.0, "reference": 0.1, "old log-probabilities": 0.1}
    )


def test_plan_prints_every_stage(capsys: pytest.CaptureFixture[str]):
    main(["plan", str(SMOKE), "--grpo.problems_per_step", "2", "--grpo.max_tokens", "16"])
    printed = capsys.readouterr().out
    for word in ("sft:", "grpo:", "rejection:", "student:", "micro_batch_tokens: 4096", "most memory: ", "s a step ("):
        assert word in printed


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"lora": {"rank": 8}}, marks=pytest.mark.slow),
        pytest.param({"optim": {"micro_batch_tokens": 520, "activation_checkpointing": True}}, marks=pytest.mark.slow),
    ],
)
def test_the_peak_of_a_real_step(tmp_path: Path, changes: dict):
    """Two steps of GRPO with a reference, 50 M parameters, in a process of its own."""
    write_model(tmp_path)
    script = Path(__file__).with_name("peak_of_a_step.py")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(changes), str(tmp_path)],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    figures = json.loads(done.stdout.splitlines()[-1])
    print(figures)
    assert figures["predicted"] == pytest.approx(figures["measured"], rel=0.25)
    own = figures["own"]
    assert figures["predicted"] - own == pytest.approx(figures["measured"] - own, rel=0.25)
