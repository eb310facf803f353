"""What stands in for the weights of linear layers while a model samples."""

from __future__ import annotations

import pytest
import torch

import reasonwright.sampling.weights as module
from reasonwright.models.lora import add_adapter
from reasonwright.models.precision import compute_in
from reasonwright.models.settings import LoraSettings
from reasonwright.sampling.weights import SamplingWeights
from toy_models import toy_model

HALF = torch.bfloat16


def linear_layers(model) -> list[torch.nn.Linear]:
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear)]


def test_copies_stand_in_for_the_weights_for_as_long_as_is_said():
    """Toy layers are too small to be packed."""
    model = compute_in(toy_model("qwen3 tied"), "bfloat16")
    weights = SamplingWeights(model)
    linear = linear_layers(model)
    assert not weights.packed
    embedding = model.get_input_embeddings().weight
    places = []
    for factor in (1.0, 2.0):
        with torch.no_grad():
            linear[0].weight.mul_(factor)
        state = {k: v.clone() for k, v in model.state_dict().items()}
        with weights.in_place():
            assert all(m.weight.dtype == HALF for m in linear)  # the head's too, which is the embedding's
            assert torch.equal(
                linear[0].weight, dict(model.named_parameters())["model.layers.0.self_attn.q_proj.weight"].to(HALF)
            )
            assert model.get_input_embeddings().weight is embedding
            assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
            places.append([m.weight.data_ptr() for m in linear])
        assert all(isinstance(m.weight, torch.nn.Parameter) for m in linear)
    assert places[0] == places[1]
    with pytest.raises(KeyboardInterrupt), weights.in_place():
        raise KeyboardInterrupt
    assert all(isinstance(m.weight, torch.nn.Parameter) for m in linear)
    assert not SamplingWeights(toy_model("qwen3")).copies


@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["qwen3 tied", "llama biases"])
@pytest.mark.parametrize("rows", [1, 8, 200])
def test_packed_weights_give_what_the_layers_give(monkeypatch, compute, kind, rows):
    """As close as two orders of summation are; for what the weights are at the time, biases included."""
    monkeypatch.setattr(module, "PACKED_LEAST", 1)
    model = compute_in(toy_model(kind), compute)
    model = add_adapter(model, LoraSettings(rank=4), 0) if kind == "qwen3 tied" else model
    dtype = HALF if compute == "bfloat16" else torch.float32
    weights, linear = SamplingWeights(model), linear_layers(model)
    assert weights.packed == linear
    assert not weights.copies
    assert any(m.bias is not None for m in linear) == (kind == "llama biases")
    torch.manual_seed(0)
    with torch.no_grad():
        for factor in (1.0, 2.0):
            linear[0].weight.mul_(factor)
            given = [torch.randn(rows, m.in_features, dtype=dtype) for m in linear]
            with torch.autocast("cpu", HALF, enabled=dtype == HALF):
                expected = [m(x) for m, x in zip(linear, given, strict=True)]
            with weights.in_place():
                got = [m(x) for m, x in zip(linear, given, strict=True)]
            tolerance = {"rtol": 2e-2, "atol": 1e-2} if dtype == HALF else {"rtol": 1e-5, "atol": 1e-5}
            torch.testing.assert_close(got, expected, **tolerance)
            assert not any("forward" in vars(m) for m in linear)


def test_what_is_trained_on_stays_the_layer(monkeypatch):
    """An error while sampling leaves no packed weights behind, which training would not change."""
    monkeypatch.setattr(module, "PACKED_LEAST", 1)
    model = toy_model("qwen3 tied")
    weights = SamplingWeights(model)
    with weights.in_place():
        assert all("forward" in vars(m) for m in weights.packed)
    with pytest.raises(KeyboardInterrupt), weights.in_place():
        raise KeyboardInterrupt
    assert not any("forward" in vars(m) for m in linear_layers(model))
