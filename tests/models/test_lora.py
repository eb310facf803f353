"""Adapters: trained alone, seen by the sampler at every step, and loaded elsewhere as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import packs_flat, prepare
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.load import load_model, load_tokenizer, save_model
from reasonwright.models.lora import add_adapter, has_adapter, merged, without_adapter
from reasonwright.models.settings import LoraSettings
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.decoder import GenericDecoder, LlamaDecoder
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.policy import Policy
from reasonwright.training.settings import OptimSettings
from reasonwright.types import UserError
from toy_models import V, toy_model
from toy_tokenizers import chatml_tags

LINEAR = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
TEXT = torch.tensor([[5, 17, 101, 42, 7, 230, 9]])


def adapted(kind: str, **settings):
    return add_adapter(prepare(toy_model(kind)), LoraSettings.model_validate({"rank": 4} | settings), seed=1)


def moved(model):
    """With an adapter that says something: B starts at 0."""
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.copy_(torch.randn(p.shape, generator=g) * 0.3)
    return model


def rows_of(groups, requests) -> list[TokenSequence]:
    return [
        TokenSequence(r.prompt_ids, c.token_ids, c.logprobs) for r, g in zip(requests, groups, strict=True) for c in g
    ]


@torch.no_grad()
def gap(model, sequences) -> float:
    """Largest difference between the log-probabilities of the sampler and the trainer's."""
    batches = pack(sequences, [1.0] * len(sequences), micro_batch_tokens=80, flat=packs_flat(model))
    return max(float((batch_logprobs(model, b)[0] - b.sampler_logprobs).abs().max()) for b in batches)


def test_a_fresh_adapter_changes_nothing_and_is_all_that_is_trained():
    model, plain = adapted("qwen3"), toy_model("qwen3")
    assert torch.equal(model(TEXT).logits, plain(TEXT).logits)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {part for name in trained for part in name.split(".") if part in LINEAR} == LINEAR
    assert len(trained) == 2 * 2 * len(LINEAR)  # A and B in two layers
    assert packs_flat(model)
    assert has_adapter(model)
    assert not has_adapter(plain)


def test_its_first_numbers_come_from_the_seed_alone():
    one, same = adapted("qwen3"), adapted("qwen3")
    other = add_adapter(toy_model("qwen3"), LoraSettings(rank=4), seed=2)
    a, b, c = (next(p for name, p in m.named_parameters() if "lora_A" in name) for m in (one, same, other))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_target_modules():
    model = adapted("llama", target_modules=["q_proj", "v_proj"])
    named = {part for n, p in model.named_parameters() if p.requires_grad for part in n.split(".") if part in LINEAR}
    assert named == {"q_proj", "v_proj"}
    with pytest.raises(UserError, match=r"lora.target_modules.*query"):
        adapted("llama", target_modules=["query"])
    with pytest.raises(UserError, match="head cannot have an adapter"):
        adapted("llama", target_modules=["lm_head"])


@pytest.mark.parametrize(
    ("kind", "decoder"),
    [("qwen3 tied", LlamaDecoder), ("llama", LlamaDecoder), ("gemma3", GenericDecoder), ("gpt2", GenericDecoder)],
)
def test_the_sampler_sees_what_the_trainer_has_after_every_update(kind, decoder):
    """Log-probabilities are the fingerprint: those of the sampler are the trainer's, and leave those of the base."""
    model, chat = adapted(kind), ChatFormat(chatml_tags())
    policy, sampler = Policy(model, OptimSettings(lr=3e-2, schedule="constant"), 10), NativeSampler(model, chat)
    assert type(sampler.decoder) is decoder
    g = torch.Generator().manual_seed(5)
    requests = [SampleRequest(torch.randint(V, (n,), generator=g).tolist(), f"p/{n}") for n in (9, 2, 5)]
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    for step in range(4):
        sequences = rows_of(sampler.sample(requests, SamplingParams(3, 12, seed=step)), requests)
        assert gap(model, sequences) < 1e-4
        with without_adapter(model):
            assert (gap(model, sequences) > 0.05) == (step > 0)
        batches = pack(sequences, [0.1] * len(sequences), micro_batch_tokens=80, flat=packs_flat(model))
        policy.update(batches, sft_loss)
    assert all(torch.equal(p, frozen[name]) for name, p in model.named_parameters() if name in frozen)


@pytest.mark.parametrize("kind", ["qwen3", "llama biases"])
def test_no_layers_adapter_is_passed_by(kind):
    """Each alone changes what the fast decoder says, as much as it changes a plain forward pass."""
    model = adapted(kind)
    decoder = LlamaDecoder(model)

    @torch.inference_mode()
    def steps() -> torch.Tensor:
        """Logits of the last two tokens: one from reading the prompt, one from a step."""
        decoder.reserve(1, 1, 8, 4)
        first = decoder.add([TEXT[0, :-1].tolist()], [1])
        return torch.cat((first, decoder.step(TEXT[0, -1:])))

    base = steps()
    matrices = {name: p for name, p in model.named_parameters() if "lora_B" in name}
    assert len(matrices) == 2 * len(LINEAR)
    for name, p in matrices.items():
        p.detach().fill_(0.5)
        got = steps()
        torch.testing.assert_close(got, model(TEXT).logits[0, -2:], atol=1e-4, rtol=0)
        assert (got - base).abs().max() > 1e-3, name
        p.detach().zero_()


def test_the_reference_is_the_model_without_its_adapter():
    model, plain = moved(adapted("qwen3")), toy_model("qwen3")
    with without_adapter(model):
        assert torch.equal(model(TEXT).logits, plain(TEXT).logits)
    assert (model(TEXT).logits - plain(TEXT).logits).abs().max() > 0.1
    assert sum(p.requires_grad for p in model.parameters()) == 2 * 2 * len(LINEAR)  # and it is trained on afterwards
    with without_adapter(plain):
        pass


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a model that was made here."""
    folder = tmp_path_factory.mktemp("base")
    save_model(folder, load_model("embedded:tiny"), load_tokenizer("embedded:tiny"), [0], "card")
    return folder


def trained_on(base: Path):
    return moved(add_adapter(load_model(str(base)), LoraSettings(rank=4), seed=1))


def test_merged_it_is_a_model_like_any_other(base: Path, tmp_path: Path):
    model = trained_on(base)
    expected, before = model(TEXT).logits, load_model(str(base))(TEXT).logits
    save_model(tmp_path / "m", merged(model), load_tokenizer(str(base)), [0], "card")
    assert not list((tmp_path / "m").glob("adapter*"))
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "m")
    assert not [name for name in plain.state_dict() if "lora" in name]
    torch.testing.assert_close(plain(TEXT).logits, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(load_model(str(tmp_path / "m"))(TEXT).logits, expected, atol=1e-4, rtol=0)
    assert (expected - before).abs().max() > 0.1


def test_alone_it_is_loaded_onto_its_base_here_and_by_peft(base: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(base.parent)
    model = trained_on(Path(base.name))  # a relative path is recorded as an absolute one
    expected = model(TEXT).logits
    tokenizer = load_tokenizer(str(base))
    save_model(tmp_path / "a", model, tokenizer, [0], "card")
    monkeypatch.chdir(tmp_path)
    files = {p.name for p in (tmp_path / "a").iterdir()}
    assert files >= {
        "adapter_config.json",
        "adapter_model.safetensors",
        "generation_config.json",
        "chat_template.jinja",
    }
    assert not files & {"config.json", "model.safetensors"}
    assert (tmp_path / "a" / "README.md").read_text() == "card"
    assert (tmp_path / "a" / "adapter_model.safetensors").stat().st_size < (base / "model.safetensors").stat().st_size
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "a")
    torch.testing.assert_close(theirs(TEXT).logits, expected, atol=1e-4, rtol=0)
    ours = load_model(str(tmp_path / "a"))
    assert not has_adapter(ours)
    assert packs_flat(ours)
    torch.testing.assert_close(ours(TEXT).logits, expected, atol=1e-4, rtol=0)
    assert load_tokenizer(str(tmp_path / "a")).get_vocab() == tokenizer.get_vocab()


def test_an_adapter_whose_base_is_gone(base: Path, tmp_path: Path):
    save_model(tmp_path / "a", trained_on(base), load_tokenizer(str(base)), [0], "card")
    config = tmp_path / "a" / "adapter_config.json"
    config.write_text(config.read_text().replace(str(base), str(tmp_path / "gone")))
    with pytest.raises(UserError, match=r"gone.*no such folder"):
        load_model(str(tmp_path / "a"))
