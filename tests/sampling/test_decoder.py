"""Decoding step by step gives the logits of a plain forward pass; what the fast path cannot run it leaves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reasonwright.sampling.decoder import Decoder, GenericDecoder, LlamaDecoder, fill_holes, make_decoder
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


def check_steps(model, decoder: Decoder, common_length: int = 0) -> None:
    g = torch.Generator().manual_seed(1)

    def draw(n: int) -> list[int]:
        return torch.randint(V, (n,), generator=g).tolist()

    common = draw(common_length)
    prompts = [common + draw(n) for n in (1, 9, 5)]
    texts = [list(prompts[p]) for p in OWNER]
    decoder.reserve(8, 8, 9, 12, common)
    logits = decoder.add(prompts, [1, 2, 3])
    for t in range(12):
        expected = torch.stack([plain_logits(model, text) for text in texts])
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        if t in (3, 8):  # the longest prompts leave first: only the padding of the others is left
            order = np.array([0, 3, 5] if t == 3 else [2, 0])
            decoder.keep(order)
            texts, logits = [texts[r] for r in order], logits[order]
        if decoder.free_prompts and t in (4, 9):  # and others enter
            new = [common + draw(n) for n in ((7, 2) if t == 4 else (6,))]
            texts += [list(p) for p in new for _ in range(2)]
            logits = torch.cat((logits, decoder.add(new, [2] * len(new))))
            expected = torch.stack([plain_logits(model, text) for text in texts])
            torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
        if t == 11:
            return
        tokens = draw(len(texts))
        texts = [[*text, token] for text, token in zip(texts, tokens, strict=True)]
        logits = decoder.step(torch.tensor(tokens))


@pytest.mark.parametrize("common_length", [0, 6])
@pytest.mark.parametrize("kind", FAST)
@torch.inference_mode()
def test_fast_logits_are_those_of_a_plain_forward(kind, common_length):
    model = toy_model(kind)
    check_steps(model, LlamaDecoder(model), common_length)


@pytest.mark.parametrize("kind", [*GENERIC, "qwen3", "llama biases"])
@torch.inference_mode()
def test_generic_logits_are_those_of_a_plain_forward(kind):
    model = toy_model(kind)
    check_steps(model, GenericDecoder(model))


def test_holes_are_filled_with_the_last_rows():
    alive = np.array([1, 0, 1, 0, 1, 1, 0, 1], dtype=bool)
    assert fill_holes(alive).tolist() == [0, 5, 2, 7, 4]
    assert fill_holes(np.array([True, True])).tolist() == [0, 1]
    assert fill_holes(np.array([False, False])).tolist() == []


@torch.inference_mode()
def test_the_cache_is_kept_and_begins_anew():
    """A second use gives the same as a first, in the same memory where it is large enough."""
    model = toy_model("qwen3")
    decoder = LlamaDecoder(model)
    check_steps(model, decoder)
    place = decoder.own.data_ptr()
    check_steps(model, decoder, common_length=5)
    assert decoder.own.data_ptr() == place
