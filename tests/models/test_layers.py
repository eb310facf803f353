"""Computing activations twice and compiling change nothing in the results."""

from __future__ import annotations

import pytest
import torch
from tiny import random_groups, random_sequences, tiny_qwen3

from commands import SMOKE
from reasonwright.cli import main
from reasonwright.data.packing import pack, token_weights
from reasonwright.models.attention import packs_flat
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.layers import checkpoint_layers, compile_layers, recompute_units
from reasonwright.models.lora import add_adapter
from reasonwright.models.settings import LoraSettings
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.planner.memory import _kept
from reasonwright.sampling.decoder import GenericDecoder
from reasonwright.training.policy import Policy
from reasonwright.training.settings import OptimSettings
from toy_models import toy_model


def models():
    yield tiny_qwen3()
    yield add_adapter(tiny_qwen3(), LoraSettings(rank=4), seed=0)


def step(model) -> tuple[list[float], torch.Tensor]:
    """Losses and gradients of rows of several lengths, flat and padded."""
    losses = []
    for seed in (1, 2, 3):
        sequences = random_groups(seed) if packs_flat(model) else random_sequences(seed)
        weights = token_weights(sequences, aggregate="token")
        for batch in pack(sequences, weights, micro_batch_tokens=40, flat=packs_flat(model)):
            out = sft_loss(batch_logprobs(model, batch)[0], batch)
            out.loss.backward()
            losses.append(out.loss.item())
    return losses, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def kept_bytes(model) -> int:
    [batch] = pack(random_groups(1), [1.0] * len(random_groups(1)), micro_batch_tokens=1000, flat=packs_flat(model))
    assert batch_logprobs(model, batch)[0].requires_grad
    return _kept(model, batch)


@pytest.mark.parametrize("which", [0, 1])
def test_checkpointed_layers_give_the_same_and_keep_less(which: int):
    plain, other = (list(models())[which] for _ in range(2))
    other.eval()
    checkpoint_layers(other)
    expected, got = step(plain), step(other)
    assert got[0] == expected[0]
    assert torch.equal(got[1], expected[1])
    assert kept_bytes(other) < 0.5 * kept_bytes(plain)


@pytest.mark.parametrize("which", [0, 1])
def test_recomputed_units_give_the_same_and_keep_less(which: int):
    """Two of the arrays as wide as the unit, of each layer and position."""
    plain, other = (list(models())[which] for _ in range(2))
    recompute_units(other)
    expected, got = step(plain), step(other)
    assert got[0] == expected[0]
    assert torch.equal(got[1], expected[1])
    config, groups = plain.config, random_groups(1)
    [batch] = pack(groups, [1.0] * len(groups), micro_batch_tokens=1000, flat=True)
    saved = 2 * plain.dtype.itemsize * batch.input_ids.numel() * config.intermediate_size * config.num_hidden_layers
    assert kept_bytes(plain) - kept_bytes(other) == saved


def test_they_decode_as_before():
    """With a cache, which a layer that is computed twice would write twice."""
    model, plain = toy_model("gemma3"), toy_model("gemma3")
    checkpoint_layers(model)
    for m in (model, plain):
        m.decoder = GenericDecoder(m)
        m.decoder.reserve(1, 1, 4, 4)
    with torch.inference_mode():
        ids = [[5, 6, 7]]
        assert torch.equal(model.decoder.add(ids, [1]), plain.decoder.add(ids, [1]))
        for token in (3, 4):
            assert torch.equal(model.decoder.step(torch.tensor([token])), plain.decoder.step(torch.tensor([token])))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("which", [0, 1])
def test_compiled_layers_give_the_same(which: int):
    plain, other, both = (list(models())[which] for _ in range(3))
    compile_layers(other)
    compile_layers(both)
    checkpoint_layers(both)
    expected = step(plain)
    for model in (other, both):
        losses, gradient = step(model)
        assert losses == pytest.approx(expected[0], rel=1e-6)
        torch.testing.assert_close(gradient, expected[1], rtol=1e-4, atol=1e-6)


def test_the_policy_does_what_its_settings_say(monkeypatch: pytest.MonkeyPatch):
    called = []
    for name in ("checkpoint_layers", "compile_layers"):
        monkeypatch.setattr(f"reasonwright.training.policy.{name}", lambda _, name=name: called.append(name))
    Policy(tiny_qwen3(), OptimSettings(), 1)
    assert called == []
    Policy(tiny_qwen3(), OptimSettings(torch_compile=True, activation_checkpointing=True), 1)
    assert called == ["compile_layers", "checkpoint_layers"]  # what is compiled is computed twice


def test_without_a_compiler(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    from torch._inductor import config, cpp_builder

    monkeypatch.setattr(config.cpp, "cxx", ("/no/such/compiler",))
    cpp_builder.cpp_compiler_search.cache_clear()
    with pytest.raises(SystemExit) as caught:
        main(["run", str(SMOKE), "--out", str(tmp_path / "run"), "--sft.optim.torch_compile", "true"])
    cpp_builder.cpp_compiler_search.cache_clear()
    assert caught.value.code == 2
    assert "optim.torch_compile needs a C++ compiler" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
