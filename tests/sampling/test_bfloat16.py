"""In bfloat16 the sampler computes what the trainer computes, with copies of the weights that follow the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import packs_flat, prepare
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.models.lora import add_adapter, without_adapter
from reasonwright.models.precision import compute_in
from reasonwright.models.settings import LoraSettings
from reasonwright.sampling import SampleRequest, SamplingParams, native
from reasonwright.sampling.decoder import GenericDecoder, LlamaDecoder
from reasonwright.sampling.native import NativeSampler
from toy_models import V, toy_model
from toy_tokenizers import chatml_tags

HALF = torch.bfloat16
QUESTIONS = (
    "Tom has 5 apples and buys 7 more. He eats 2. How many are left?",
    "A box holds 12 pens. Ann buys 3 boxes and gives 9 pens away. How many pens does she have?",
    "Sam reads 14 pages a day for 6 days. How many pages does he read?",
    "A shop sells 25 cakes in the morning and 18 in the afternoon. 7 come back. How many are sold?",
)


@pytest.fixture(scope="module")
def chat() -> ChatFormat:
    return ChatFormat(chatml_tags())


def half(kind: str):
    return compute_in(prepare(toy_model(kind)), "bfloat16")


def requests_of(lengths=(9, 2, 14, 6), common: tuple[int, ...] = ()) -> list[SampleRequest]:
    g = torch.Generator().manual_seed(5)
    return [SampleRequest([*common, *torch.randint(V, (n,), generator=g).tolist()], f"p/{n}") for n in lengths]


@torch.no_grad()
def gaps(model, requests, groups, temperature: float = 1.0) -> torch.Tensor:
    """|Log-probability by the trainer - that by the sampler| of each sampled token."""
    rows = [
        TokenSequence(r.prompt_ids, c.token_ids, c.logprobs) for r, g in zip(requests, groups, strict=True) for c in g
    ]
    found = []
    for batch in pack(rows, [1.0] * len(rows), micro_batch_tokens=600, flat=packs_flat(model)):
        logprobs, _ = batch_logprobs(model, batch, temperature)
        found.append((logprobs - batch.sampler_logprobs)[batch.loss_mask].abs())
    return torch.cat(found)


def test_sampler_and_trainer_agree_on_the_embedded_base():
    """And neither computes in float32."""
    model, chat = load_model("embedded:base", compute="bfloat16"), ChatFormat(load_tokenizer("embedded:base"))
    requests = [SampleRequest(chat.prompt(question).ids, str(i)) for i, question in enumerate(QUESTIONS)]
    groups = NativeSampler(model, chat).sample(requests, SamplingParams(4, 60))
    found = gaps(model, requests, groups)
    assert len(found) > 300
    assert found.mean() < 0.005
    exact = gaps(load_model("embedded:base"), requests, groups)
    assert exact.mean() > 1e-4
    assert exact.max() > 0.02


@pytest.mark.parametrize("kind", ["qwen3", "qwen2", "llama biases", "llama one head", "gemma3", "gpt2", "gemma2"])
def test_sampler_and_trainer_agree_in_every_family(kind: str, chat: ChatFormat):
    """As far as rounding goes, which for random models of this size is 0.001 to 0.006. That both round at the same
    places shows in that they are nearer to each other than to float32: independent errors would be further apart."""
    model = compute_in(toy_model(kind), "bfloat16") if kind == "gemma2" else half(kind)
    requests = requests_of()
    groups = NativeSampler(model, chat).sample(requests, SamplingParams(3, 24))
    found, exact = gaps(model, requests, groups).mean(), gaps(toy_model(kind), requests, groups).mean()
    assert found < 0.01
    assert found < 0.9 * exact


@pytest.mark.parametrize("kind", ["qwen3", "llama", "qwen2", "gemma3", "gpt2"])
def test_greedy_is_the_greedy_of_transformers_under_autocast(kind: str, chat: ChatFormat):
    """Where the two best are so near that rounding decides, either may be taken."""
    model, plain, requests = half(kind), toy_model(kind), requests_of()
    ours = NativeSampler(model, chat).sample(requests, SamplingParams(max_tokens=24, temperature=0))
    clear = 0
    for [completion], request in zip(ours, requests, strict=True):
        ids = torch.tensor([[*request.prompt_ids, *completion.token_ids]])
        with torch.no_grad(), torch.autocast("cpu", HALF):
            logits = plain(ids).logits[0, len(request.prompt_ids) - 1 : -1].float()
        for token, row in zip(completion.token_ids, logits, strict=True):
            first, second = row.topk(2).values
            assert row[token] >= first - 0.125
            if first - second > 0.125:
                clear += 1
                assert token == int(row.argmax())
    assert clear > 30


def test_caches_are_of_the_type_that_attention_computes_in(chat: ChatFormat, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native, "COMMON_LEAST", 16)
    model, requests = half("qwen3"), requests_of(common=tuple(range(40, 60)))
    sampler = NativeSampler(model, chat, max_rows=5)  # rows leave and enter
    groups = sampler.sample(requests, SamplingParams(3, 24))
    assert isinstance(sampler.decoder, LlamaDecoder)
    assert sampler.decoder.common.shape[-2] == 20
    assert {x.dtype for x in (sampler.decoder.own, sampler.decoder.prompt, sampler.decoder.common)} == {torch.float32}
    assert gaps(model, requests, groups).mean() < 0.01
    generic = NativeSampler(half("gemma3"), chat)
    generic.sample(requests, SamplingParams(1, 4))
    assert isinstance(generic.decoder, GenericDecoder)
    assert {x.dtype for layer in generic.decoder.cache.layers for x in (layer.keys, layer.values)} == {HALF}


@pytest.mark.parametrize("kind", ["qwen3 tied", "gemma3", "gpt2"])
def test_the_copies_follow_the_weights_and_keep_their_places(kind: str, chat: ChatFormat):
    model, requests = half(kind), requests_of()
    sampler = NativeSampler(model, chat)
    places = [copy.data_ptr() for *_, copy in sampler.weights.copies]
    params = SamplingParams(3, 12)
    before = sampler.sample(requests, params)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module, name, _ in sampler.weights.copies:
            weight = getattr(module, name)
            weight += 0.3 * weight.std() * torch.randn(weight.shape, generator=g)
    assert gaps(model, requests, before).mean() > 0.1  # what was sampled before is of another model now
    after = sampler.sample(requests, params)
    assert gaps(model, requests, after).mean() < 0.02
    assert [copy.data_ptr() for *_, copy in sampler.weights.copies] == places


@pytest.mark.parametrize("kind", ["qwen3 tied", "llama", "gemma3"])
def test_an_adapter_is_seen_at_every_step(kind: str, chat: ChatFormat):
    model = add_adapter(half(kind), LoraSettings(rank=4), seed=1)
    sampler, requests = NativeSampler(model, chat), requests_of()
    for step in range(3):
        groups = sampler.sample(requests, SamplingParams(3, 12, seed=step))
        assert gaps(model, requests, groups).mean() < 0.02  # sharper than without
        with without_adapter(model):
            assert (gaps(model, requests, groups).mean() > 0.1) == (step > 0)
        g = torch.Generator().manual_seed(step)
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "lora_B" in name:
                    p.copy_(torch.randn(p.shape, generator=g) * 0.3)


def test_two_samplings_are_the_same_bits(chat: ChatFormat):
    requests, params = requests_of(), SamplingParams(3, 24)
    one, other = (NativeSampler(half("qwen3"), chat).sample(requests, params) for _ in range(2))
    assert one == other
    assert np.isfinite([p for group in one for c in group for p in c.logprobs]).all()
