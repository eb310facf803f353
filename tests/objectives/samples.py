"""Random completions, and their way into packed batches and back."""

from __future__ import annotations

import random

import torch
from reference import Sample

from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.types import Batch

SCALES = (2e-4, 0.1, 0.4, 1.2)
"""Of the log-ratios: within GSPO's clip, within PPO's, around PPO's bounds, beyond CISPO's upper bound."""


def random_samples(seed: int, count: int = 12) -> tuple[list[Sample], list[list[float]]]:
    """Completions of 1 to 6 tokens with both signs of advantage, one of them not trained, and log-probabilities [C]."""
    rng = random.Random(seed)
    samples, logprobs = [], []
    for i in range(count):
        C = rng.randint(1, 6)
        scale = SCALES[i % len(SCALES)]
        logprobs.append([-rng.uniform(0.1, 3.0) for _ in range(C)])
        samples.append(
            Sample(
                prompt=[rng.randrange(20) for _ in range(rng.randint(1, 4))],
                completion=[rng.randrange(20) for _ in range(C)],
                old=[p - rng.gauss(0, scale) for p in logprobs[i]],
                ref=[p - rng.gauss(0, 0.3) for p in logprobs[i]],
                advantage=rng.choice([-1, 1]) * rng.uniform(0.2, 2.0),
                trained=i != 5,
            )
        )
    return samples, logprobs


def batches_of(
    samples: list[Sample], aggregate: str, *, num_completions: int, max_tokens: int, micro_batch_tokens: int = 40
) -> list[Batch]:
    """Packed, with everything that the loss reads, in float64 but for the weights."""
    sequences = [TokenSequence(s.prompt, s.completion, train=s.trained) for s in samples]
    weights = token_weights(sequences, aggregate=aggregate, num_completions=num_completions, max_tokens=max_tokens)
    batches = pack(sequences, weights, micro_batch_tokens=micro_batch_tokens)
    advantages = torch.tensor([s.advantage for s in samples], dtype=torch.float64)
    for batch in batches:
        batch.old_logprobs = placed(batch, samples, [s.old for s in samples])
        batch.ref_logprobs = placed(batch, samples, [s.ref for s in samples])
        batch.advantages = advantages[batch.sequence_ids.clamp(min=0)]
    return batches


def placed(batch: Batch, samples: list[Sample], values: list[list[float]]) -> torch.Tensor:
    """[B, T] with each sample's values [C] on its completion's targets; -7.5 elsewhere, which no loss may notice."""
    result = torch.full(batch.loss_mask.shape, -7.5, dtype=torch.float64)
    for i, sample in enumerate(samples):
        at = (batch.sequence_ids == i).nonzero()[len(sample.prompt) - 1 :]
        if len(at):
            result[at[:, 0], at[:, 1]] = torch.tensor(values[i], dtype=torch.float64)
    return result


def collected(batches: list[Batch], samples: list[Sample], tensors: list[torch.Tensor]) -> list[list[float]]:
    """The inverse of `placed`."""
    result: list[list[float]] = [[] for _ in samples]
    for batch, tensor in zip(batches, tensors, strict=True):
        for i, sample in enumerate(samples):
            result[i] += tensor[batch.sequence_ids == i][len(sample.prompt) - 1 :].tolist()
    return result
