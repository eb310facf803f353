"""One draw: temperature, top-k and top-p against a slow reference in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reasonwright.sampling.base import SamplingParams
from reasonwright.sampling.native import pick_tokens

DRAWS = 8_000
SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 2.0},
    {"top_k": 3},
    {"top_k": 1},
    {"top_k": 1000},
    {"top_p": 0.6},
    {"top_p": 1e-6},
    {"temperature": 1.7, "top_k": 6, "top_p": 0.8},
    {"temperature": 0.3, "top_p": 0.95},
]


def distribution(logits: list[float], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> list[float]:
    """The probabilities that the settings ask for, in their order: temperature, top-k, top-p."""
    weights = [math.exp(x / temperature) for x in logits]
    ranked = sorted(range(len(logits)), key=lambda i: -weights[i])
    kept = ranked[: top_k or None]
    total, mass, nucleus = sum(weights[i] for i in kept), 0.0, []
    for i in kept:
        if mass < top_p:
            nucleus.append(i)
        mass += weights[i] / total
    total = sum(weights[i] for i in nucleus)
    return [weights[i] / total if i in nucleus else 0.0 for i in range(len(logits))]


@pytest.mark.parametrize("vocabulary", [12, 200])  # one block of tokens that are summed together, and several
@pytest.mark.parametrize("settings", SETTINGS)
def test_draws_and_logprobs_follow_the_asked_distribution(settings, vocabulary: int):
    logits = torch.randn(vocabulary, generator=torch.Generator().manual_seed(3)) * 2
    expected = distribution(logits.tolist(), **settings)
    uniforms = (torch.arange(DRAWS, dtype=torch.float64) + 0.5) / DRAWS  # a fine grid: shares are exact
    tokens, logprobs = pick_tokens(logits.expand(DRAWS, -1), uniforms, SamplingParams(**settings))
    shares = torch.bincount(tokens, minlength=vocabulary) / DRAWS
    torch.testing.assert_close(shares.tolist(), expected, atol=2 / DRAWS, rtol=0)
    for token, logprob in {(int(t), float(p)) for t, p in zip(tokens, logprobs, strict=True)}:
        assert logprob == pytest.approx(math.log(expected[token]), abs=1e-5)


@pytest.mark.parametrize("apart", [1, 10])
def test_tokens_without_probability_are_never_drawn(apart: int):
    """Neither at the edges of the uniform number nor where the vocabulary begins and ends with them."""
    logits = torch.full((50 * apart,), -torch.inf)
    logits[[7 * apart, 20 * apart, 30 * apart]] = torch.tensor([0.0, -40.0, 1.0])
    edges = [0.0, 5e-324, 1e-17, 0.5, *np.nextafter([1.0, 1.0 - 1e-16], 0)]
    uniforms = torch.tensor(edges, dtype=torch.float64)
    for settings in ({}, {"top_p": 0.9}, {"top_k": 2}, {"temperature": 0.7}):
        tokens, logprobs = pick_tokens(logits.expand(len(edges), -1), uniforms, SamplingParams(**settings))
        assert set(tokens.tolist()) == {7 * apart, 30 * apart}
        assert logprobs.isfinite().all()


def test_rare_tokens_behind_a_likely_one_keep_their_share():
    """A cumulative sum in float32 cannot tell steps of 1e-9 apart once it has come near 1."""
    logits = torch.full((1000,), math.log(1e-9))
    logits[0] = 0.0
    total = 1 + 999e-9
    uniforms = torch.tensor([1 - (k + 0.5) * 1e-9 / total for k in range(20)], dtype=torch.float64)
    tokens, _ = pick_tokens(logits.expand(20, -1), uniforms, SamplingParams())
    assert tokens.tolist() == [999 - k for k in range(20)]


@pytest.mark.parametrize("vocabulary", [50, 128, 1000])
def test_a_row_that_is_not_a_number_gets_a_token_and_says_so(vocabulary: int):
    """And disturbs no other; training then refuses its loss."""
    logits = torch.zeros(3, vocabulary)
    logits[1, 7], logits[2, 5] = torch.nan, 100.0
    tokens, logprobs = pick_tokens(logits, torch.tensor([0.5, 0.5, 0.5]).double(), SamplingParams())
    assert tokens[0] == vocabulary // 2
    assert 0 <= int(tokens[1]) < vocabulary
    assert tokens[2] == 5
    assert logprobs.isfinite().tolist() == [True, False, True]


def test_greedy_takes_the_largest_with_its_logprob_at_temperature_one():
    logits = torch.tensor([[0.0, 3.0, 1.0], [2.0, -1.0, 1.5]])
    tokens, logprobs = pick_tokens(logits, torch.tensor([0.99, 0.99]).double(), SamplingParams(temperature=0))
    assert tokens.tolist() == [1, 0]
    expected = [math.log(distribution(row.tolist())[int(t)]) for row, t in zip(logits, tokens, strict=True)]
    torch.testing.assert_close(logprobs.tolist(), expected, atol=1e-6, rtol=0)


def test_rows_are_drawn_each_on_its_own():
    logits = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    uniforms = torch.rand(6, generator=torch.Generator().manual_seed(1)).double()
    params = SamplingParams(temperature=0.8, top_k=5, top_p=0.9)
    together = pick_tokens(logits, uniforms, params)
    for r in range(6):
        token, logprob = pick_tokens(logits[r : r + 1], uniforms[r : r + 1], params)
        assert int(token) == int(together[0][r])
        assert float(logprob) == pytest.approx(float(together[1][r]), abs=1e-6)
