"""Log-probabilities of given tokens, without ever holding the logits of a whole batch.

With a vocabulary of 151,000 the logits of 8,192 positions are 5 GB in float32, twice that with their gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

CHUNK_ELEMENTS = 2**24
"""Logits held at a time: 16 M elements, 64 MiB in float32."""


def selected_logprobs(logits: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0):
    """Log-probability of each target, and the entropy of each distribution.

    Args: logits: [N, V]; targets: [N] int64; temperature: > 0, divides the logits as the sampler does.
    Returns: (logprobs [N] float32 with graph, entropy [N] float32 in nats without graph).
    """
    return _Selected.apply(logits, targets, temperature)


class _Selected(torch.autograd.Function):
    """The softmax is computed once, for value, entropy and gradient: d log p_t / d logits = (one_hot_t - p) / T."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor, temperature: float):
        scaled = logits.float() if temperature == 1 else logits.float() / temperature
        shifted = scaled - scaled.amax(-1, keepdim=True)
        probs = shifted.exp()
        total = probs.sum(-1, keepdim=True)
        probs /= total
        logtotal_N = total.log().squeeze(-1)
        logprobs_N = shifted.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - logtotal_N
        entropy_N = logtotal_N - shifted.mul_(probs).sum(-1)
        ctx.save_for_backward(probs, targets)
        ctx.temperature, ctx.dtype = temperature, logits.dtype
        ctx.mark_non_differentiable(entropy_N)
        return logprobs_N, entropy_N

    @staticmethod
    def backward(ctx: Any, grad_N: torch.Tensor, _: Any):
        probs, targets = ctx.saved_tensors
        grad = (grad_N / ctx.temperature).unsqueeze(-1)
        logits_grad = (probs * -grad).scatter_add_(-1, targets.unsqueeze(-1), grad)
        return logits_grad.to(ctx.dtype), None, None


def chunked_logprobs(hidden: torch.Tensor, head: torch.nn.Module, targets: torch.Tensor, temperature: float = 1.0):
    """`selected_logprobs(head(hidden), …)` in chunks; backward computes each chunk's logits again.

    Args: hidden: [N, H] last hidden states; head: maps [n, H] to [n, V]; targets: [N].
    """
    vocabulary = next(head.parameters()).shape[0]
    chunk = max(1, CHUNK_ELEMENTS // vocabulary)

    def one(hidden_n: torch.Tensor, targets_n: torch.Tensor):
        return selected_logprobs(head(hidden_n), targets_n, temperature)

    if hidden.shape[0] <= chunk:
        return one(hidden, targets)
    parts = [
        checkpoint(one, h, t, use_reentrant=False)
        for h, t in zip(hidden.split(chunk), targets.split(chunk), strict=True)
    ]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
