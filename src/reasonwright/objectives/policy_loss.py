"""The clipped surrogate, for every variant in `variants.py`."""

from __future__ import annotations

import torch

from reasonwright.objectives.kl import MAX_LOG_RATIO, kl_estimate
from reasonwright.types import Batch, LossOutput


def importance_ratio(log_ratio: torch.Tensor, batch: Batch, level: str) -> torch.Tensor:
    """pi / pi_old of each token's unit, [B, T]: the token itself, or its whole completion.

    Raises ValueError where `level` is not token, sequence or sequence_mean.
    """
    if level == "token":
        return torch.exp(log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO))
    if level not in ("sequence", "sequence_mean"):
        raise ValueError(f"unknown ratio level {level!r}")
    mask, owner = batch.loss_mask, batch.sequence_ids.clamp(min=0)
    num = int(owner.max()) + 1
    total_N = torch.zeros(num, dtype=log_ratio.dtype, device=log_ratio.device)
    total_N = total_N.index_add(0, owner[mask], log_ratio[mask])
    if level == "sequence_mean":
        count_N = torch.bincount(owner[mask], minlength=num).clamp(min=1)
        total_N = total_N / count_N
    return torch.exp(total_N.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO))[owner]


def policy_loss(
    logprobs: torch.Tensor,
    batch: Batch,
    *,
    ratio: str = "token",
    clip: str = "pessimistic",
    epsilon_low: float = 0.2,
    epsilon_high: float = 0.2,
    kl_beta: float = 0.0,
    kl_estimator: str = "k3",
) -> LossOutput:
    """L = sum_t w_t [ -min(r_t A_t, clip(r_t, 1 - eps_low, 1 + eps_high) A_t) + beta KL_t ]  (DeepSeekMath, eq. 3).

    w_t is `batch.weights`, where the variant's aggregation over tokens and completions already is. A micro-batch must
    hold completions whole (packing sees to it), since sequence-level ratios sum over them.

    Args: logprobs: [B, T] of `batch.targets` under the policy, with graph; `batch` with advantages and old_logprobs,
    and ref_logprobs where kl_beta > 0.
    Returns: loss, and metrics summed over trained tokens: tokens, clip_share, kl (k3 against the reference, 0 without
    one), ratio.
    """
    assert batch.advantages is not None
    assert batch.old_logprobs is not None
    mask, advantages = batch.loss_mask, batch.advantages
    log_ratio = torch.where(mask, logprobs - batch.old_logprobs, 0.0)
    r = importance_ratio(log_ratio, batch, ratio)
    clipped_r = r.clamp(1 - epsilon_low, 1 + epsilon_high)
    if clip == "pessimistic":
        loss = -torch.minimum(r * advantages, clipped_r * advantages)
        was_clipped = (clipped_r * advantages < r * advantages) & mask
    elif clip == "detached":
        loss = -clipped_r.detach() * advantages * logprobs
        was_clipped = (clipped_r != r) & mask
    else:
        raise ValueError(f"unknown clip {clip!r}")
    with torch.no_grad():
        kl = torch.zeros(())
        if batch.ref_logprobs is not None:
            kl = kl_estimate(logprobs[mask], batch.ref_logprobs[mask], "k3").sum()
    if kl_beta > 0:
        assert batch.ref_logprobs is not None
        loss = loss + kl_beta * kl_estimate(logprobs, torch.where(mask, batch.ref_logprobs, logprobs), kl_estimator)
    return LossOutput(
        loss=(loss * batch.weights).sum(),
        metrics={
            "tokens": float(mask.sum()),
            "clip_share": float(was_clipped.sum()),
            "kl": float(kl),
            "ratio": float(r.detach()[mask].sum()),
        },
    )
