"""Decoding step by step gives the logits of a plain forward pass; what the fast path cannot run it leaves."""

from __future__ import annotations

import pytest
import torch

from reasonwright.sampling.decoder import Decoder, GenericDecoder, LlamaDecoder, make_decoder
from toy_models import FAST, GENERIC, V, toy_model

OWNER = [0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("kind", FAST)
def test_the_llama_family_is_fast(kind):
    assert type(make_decoder(toy_model(kind))) is LlamaDecoder


@pytest.mark.parametrize("kind", GENERIC)
def test_other_architectures_are_not(kind):
    assert type(make_decoder(toy_model(kind))) is GenericDecoder


def plain_logits(model, ids: list[int]) -> torch.Tensor:
    """Of the next token, from the whole text, without cache, mask or padding."""
    return model(torch.tensor([ids]), use_cache=False).logits[0, -1]


def check_steps(model, decoder: Decoder) -> None:
    g = torch.Generator().manual_seed(1)
    prompts = [torch.randint(V, (n,), generator=g).tolist() for n in (1, 9, 5)]
    padded = torch.tensor([[7] * (9 - len(p)) + p for p in prompts])
    texts = [list(prompts[p]) for p in OWNER]
    logits = decoder.prefill(padded, torch.tensor([len(p) for p in prompts]), torch.tensor(OWNER), 12)
    for t in range(12):
        expected = torch.stack([plain_logits(model, text) for text in texts])
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        if t in (3, 8):  # the longest prompts leave first: only the padding of the others is left
            rows = torch.tensor([0, 3, 5] if t == 3 else [2, 0])
            decoder.keep(rows)
            texts = [texts[r] for r in rows]
        if t == 11:
            return
        tokens = torch.randint(V, (len(texts),), generator=g)
        texts = [[*text, int(token)] for text, token in zip(texts, tokens, strict=True)]
        logits = decoder.step(tokens)


@pytest.mark.parametrize("kind", FAST)
@torch.inference_mode()
def test_fast_logits_are_those_of_a_plain_forward(kind):
    model = toy_model(kind)
    check_steps(model, LlamaDecoder(model))


@pytest.mark.parametrize("kind", [*GENERIC, "qwen3", "llama biases"])
@torch.inference_mode()
def test_generic_logits_are_those_of_a_plain_forward(kind):
    model = toy_model(kind)
    check_steps(model, GenericDecoder(model))
