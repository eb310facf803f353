"""Log-probabilities of given tokens, without ever holding the logits of a whole batch.

With a vocabulary of 151,000 the logits of 8,192 positions are 5 GB in float32, twice that with their gradient.
"""

from __future__ import annotations

import torch
from torch.utils.checkpoint import checkpoint

CHUNK_ELEMENTS = 2**24
"""Logits held at a time: 16 M elements, 64 MiB in float32."""


def selected_logprobs(logits: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0):
    """Log-probability of each target, and the entropy of each distribution.

    Args: logits: [N, V]; targets: [N] int64; temperature: > 0, divides the logits as the sampler does.
    Returns: (logprobs [N] float32 with graph, entropy [N] float32 in nats without graph).
    """
    logits = logits.float() / temperature
    logsumexp_N = torch.logsumexp(logits, dim=-1)
    logprobs_N = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - logsumexp_N
    with torch.no_grad():
        all_logprobs = logits - logsumexp_N.unsqueeze(-1)
        entropy_N = -(all_logprobs.exp() * all_logprobs).sum(-1)
    return logprobs_N, entropy_N


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
