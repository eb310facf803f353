"""Log-probabilities of given tokens, without ever holding the logits of a whole batch.

With a vocabulary of 151,000 the logits of 8,192 positions are 5 GB in float32, twice that with their gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

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


def chunked_logprobs(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0):
    """`selected_logprobs(hidden @ weight.T, …)` in chunks; backward computes each chunk's logits again.

    Args: hidden: [N, H] last hidden states; weight: [V, H] the head's; targets: [N]. Under autocast the products are
    in its type, and the gradient of the weight is summed over the chunks in the weight's own.
    """
    if len(hidden) <= _rows(weight):
        return selected_logprobs(F.linear(hidden, weight), targets, temperature)
    return _Chunked.apply(hidden, weight, targets, temperature)


class _Chunked(torch.autograd.Function):
    """Of each position, only the normaliser log Z is kept: p = exp(logits / T - log Z). The gradient of the weight, as
    large as the weight, is one tensor to which every chunk adds."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, temperature: float):
        ctx.temperature = temperature
        ctx.compute = _compute_dtype(hidden)
        h, w = hidden.to(ctx.compute), weight.to(ctx.compute)
        logprobs, entropy, normaliser = [], [], []
        for h_n, targets_n in zip(h.split(_rows(weight)), targets.split(_rows(weight)), strict=True):
            logits = F.linear(h_n, w).float().div_(temperature)
            top = logits.amax(-1, keepdim=True)
            logits -= top
            picked = logits.gather(-1, targets_n.unsqueeze(-1)).squeeze(-1)
            probs = logits.exp()
            total = probs.sum(-1)
            logtotal = total.log()
            logprobs.append(picked - logtotal)
            entropy.append(logtotal - logits.mul_(probs).sum(-1) / total)
            normaliser.append(logtotal + top.squeeze(-1))
        ctx.save_for_backward(hidden, weight, targets, torch.cat(normaliser))
        entropy_N = torch.cat(entropy)
        ctx.mark_non_differentiable(entropy_N)
        return torch.cat(logprobs), entropy_N

    @staticmethod
    def backward(ctx: Any, grad_N: torch.Tensor, _: Any):
        hidden, weight, targets, normaliser = ctx.saved_tensors
        h, w = hidden.to(ctx.compute), weight.to(ctx.compute)
        hidden_grad = torch.empty_like(hidden)
        weight_grad = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        columns = ((grad_N / ctx.temperature).unsqueeze(-1), targets.unsqueeze(-1), normaliser.unsqueeze(-1))
        chunks = [x.split(_rows(weight)) for x in (h, hidden_grad, *columns)]
        for h_n, hidden_grad_n, grad_n, targets_n, normaliser_n in zip(*chunks, strict=True):
            probs = F.linear(h_n, w).float().div_(ctx.temperature).sub_(normaliser_n).exp_()
            logits_grad = probs.mul_(-grad_n).scatter_add_(-1, targets_n, grad_n).to(ctx.compute)
            hidden_grad_n.copy_(logits_grad @ w)
            if weight_grad is None:
                continue
            if weight.dtype == ctx.compute:
                weight_grad.addmm_(logits_grad.T, h_n)
            else:
                weight_grad += logits_grad.T @ h_n
        return hidden_grad, weight_grad, None, None


def _rows(weight: torch.Tensor) -> int:
    """Positions of a chunk."""
    return max(1, CHUNK_ELEMENTS // len(weight))


def _compute_dtype(x: torch.Tensor) -> torch.dtype:
    """That of a linear layer here and now."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
