"""bfloat16: weights, gradients and losses stay float32, and what computes in it does so everywhere or not at all."""

from __future__ import annotations

import copy

import pytest
import torch

import reasonwright.models.precision as precision
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import packs_flat, prepare
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.layers import checkpoint_layers
from reasonwright.models.load import load_model
from reasonwright.models.lora import add_adapter, merged
from reasonwright.models.precision import autocast, compute_dtype, compute_in, require_compute
from reasonwright.models.settings import LoraSettings
from reasonwright.types import UserError
from toy_models import toy_model

HALF = torch.bfloat16
SEQUENCES = [TokenSequence([5, 17, 101], ids) for ids in ([42, 7, 230], [9, 9], [1, 2, 3, 4])]


def half(kind: str, seed: int = 0):
    return compute_in(prepare(toy_model(kind, seed)), "bfloat16")


def logprobs_of(model, flat: bool | None = None) -> torch.Tensor:
    flat = packs_flat(model) if flat is None else flat
    [batch] = pack(SEQUENCES, [1.0] * 3, micro_batch_tokens=200, flat=flat)
    logprobs, _ = batch_logprobs(model, batch, 0.7)
    return torch.cat([logprobs[batch.loss_mask & (batch.sequence_ids == n)] for n in range(3)])


@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "llama biases", "gemma3", "gpt2"])
def test_the_trainers_numbers_are_float32_and_those_of_a_plain_forward_under_autocast(kind: str):
    model, plain = half(kind), toy_model(kind)
    got = logprobs_of(model)
    got.sum().backward()
    assert got.dtype == torch.float32
    assert all(p.dtype == torch.float32 == p.grad.dtype for p in model.parameters() if p.grad is not None)
    expected = []
    for sequence in SEQUENCES:
        ids = torch.tensor([[*sequence.prompt_ids, *sequence.completion_ids]])
        with torch.no_grad(), torch.autocast("cpu", HALF):
            logits = plain(ids).logits[0]
        assert logits.dtype == HALF
        logprobs = torch.log_softmax(logits.float() / 0.7, -1)
        expected += [logprobs[2 + t, token] for t, token in enumerate(sequence.completion_ids)]
    difference = (got.detach() - torch.stack(expected)).abs()
    assert difference.mean() < 0.02  # logits of about 10 are rounded to a 16th
    exact = logprobs_of(prepare(plain)).detach()
    assert (got.detach() - exact).abs().max() > 1e-3


def test_rows_and_segments_agree():
    with torch.no_grad():
        assert (logprobs_of(half("qwen3"), flat=True) - logprobs_of(half("qwen3"), flat=False)).abs().mean() < 0.02


def test_layers_that_are_computed_twice_are_so_in_bfloat16():
    """The gradient is that of layers computed once, bit for bit."""
    gradients = []
    for twice in (False, True):
        model = half("qwen3")
        if twice:
            checkpoint_layers(model)
        logprobs_of(model).sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_copies_adapters_and_loaded_models_know_their_type():
    model = load_model("embedded:tiny", compute="bfloat16")
    assert compute_dtype(model) == HALF
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert compute_dtype(copy.deepcopy(model)) == HALF
    adapted = add_adapter(model, LoraSettings(rank=2), 0)
    assert compute_dtype(adapted) == HALF
    assert compute_dtype(merged(adapted)) == HALF
    plain = load_model("embedded:tiny")
    assert compute_dtype(plain) == torch.float32
    with autocast(plain):
        assert not torch.is_autocast_enabled("cpu")


def test_a_gpu_without_it_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(precision.torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(precision.torch.cuda, "get_device_name", lambda: "Tesla T4")
    with pytest.raises(UserError, match="compute is bfloat16, which Tesla T4 does not have: set it to float32"):
        require_compute("bfloat16", "cuda")
    require_compute("float32", "cuda")
    require_compute("bfloat16", "cpu")
