"""The worked numbers of the article, through the functions that training calls."""

from __future__ import annotations

import math

import pytest
import torch

from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.objectives.advantage import group_advantages
from reasonwright.objectives.kl import penalised_reward
from reasonwright.objectives.logprobs import selected_logprobs
from reasonwright.objectives.policy_loss import policy_loss
from reasonwright.objectives.sft_loss import sft_loss

PROBABILITIES = (0.8, 0.7, 0.5, 0.9)


def article_batch():
    """A prompt of three tokens and a completion of four."""
    sequence = TokenSequence([5, 6, 7], [1, 2, 3, 4])
    [batch] = pack([sequence], token_weights([sequence], aggregate="token"), micro_batch_tokens=64)
    return batch


def article_logprobs(batch) -> torch.Tensor:
    """The model gives its targets .8 .7 .5 .9 and shares the rest evenly among nine others."""
    probs = torch.full((4, 10), 0.0)
    for t, (target, p) in enumerate(zip(batch.targets[batch.loss_mask].tolist(), PROBABILITIES, strict=True)):
        probs[t] = (1 - p) / 9
        probs[t, target] = p
    picked, _ = selected_logprobs(probs.log(), batch.targets[batch.loss_mask])
    return torch.full(batch.loss_mask.shape, -100.0).masked_scatter(batch.loss_mask, picked)


def test_sft_loss_is_0_345_a_token():
    batch = article_batch()
    out = sft_loss(article_logprobs(batch), batch)
    assert out.loss.item() == pytest.approx(0.345, abs=5e-4)
    assert out.loss.item() == pytest.approx(-sum(map(math.log, PROBABILITIES)) / 4, rel=1e-6)
    assert out.metrics["tokens"] == 4


def test_sft_loss_is_1_378_summed():
    """The article's worked sum: 0.223 + 0.357 + 0.693 + 0.105."""
    batch = article_batch()
    batch.weights = batch.weights * 4
    out = sft_loss(article_logprobs(batch), batch)
    assert out.loss.item() == pytest.approx(1.378, abs=1e-3)
    assert out.metrics["nll"] == pytest.approx(1.378, abs=1e-3)


def test_advantages_of_1_0_1_0():
    """Exactly +-1: the population's standard deviation, 0.5. The article's snippet calls `torch.std`, whose default
    divides by G - 1 (0.577), and so would give +-0.866 instead of the numbers in its own text."""
    advantages = group_advantages(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert advantages.tolist() == [1.0, -1.0, 1.0, -1.0]


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_a_ratio_of_1_5_is_clipped_to_1_2(level):
    sequence = TokenSequence([5], [1])
    [batch] = pack([sequence], [1.0], micro_batch_tokens=64)
    batch.advantages = torch.tensor([[1.0]])
    batch.old_logprobs = torch.tensor([[math.log(0.4)]])
    out = policy_loss(torch.tensor([[math.log(0.6)]]), batch, ratio=level, epsilon_low=0.2, epsilon_high=0.2)
    assert -out.loss.item() == pytest.approx(1.2, abs=1e-6)
    assert out.metrics["ratio"] == pytest.approx(1.5, abs=1e-6)
    assert out.metrics["clip_share"] == 1


def test_kl_penalty_in_the_reward():
    assert penalised_reward(1.0, 2.0, 0.1) == pytest.approx(0.8)
    assert penalised_reward(1.0, 15.0, 0.1) == pytest.approx(-0.5)
