"""Estimators of KL(policy || reference) from tokens sampled by the policy (Schulman, http://joschu.net/blog/kl-approx.html)."""

from __future__ import annotations

import torch

MAX_LOG_RATIO = 20.0
"""Log-ratios are clamped to +-20 before exp: e^20 is far outside any trust region, and e^89 overflows float32."""


def kl_estimate(logprobs: torch.Tensor, ref_logprobs: torch.Tensor, estimator: str) -> torch.Tensor:
    """KL of each sampled token, in nats; same shape as the inputs.

    With d = log pi - log pi_ref: k1 = d (unbiased, may be negative), k2 = d^2 / 2 (biased, low variance),
    k3 = e^-d + d - 1 (unbiased, never negative; DeepSeekMath eq. 4).
    """
    d = logprobs - ref_logprobs
    if estimator == "k1":
        return d
    if estimator == "k2":
        return d.square() / 2
    if estimator == "k3":
        d = d.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
        return torch.expm1(-d) + d  # e^-d + d - 1 would lose d = 1e-3 to the rounding of float32
    raise ValueError(f"unknown KL estimator {estimator!r}")


def penalised_reward(reward: float, kl: float, beta: float) -> float:
    """The article's R_total = R_outcome - beta * KL, with KL summed over the completion's tokens."""
    return reward - beta * kl
