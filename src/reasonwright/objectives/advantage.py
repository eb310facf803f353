"""Group-relative advantages: how much better a completion is than its siblings."""

from __future__ import annotations

import torch


def group_advantages(rewards_G: torch.Tensor, *, baseline: str = "mean", scale: str = "std") -> torch.Tensor:
    """Advantage of each of the G completions of one problem.

    A_i = (r_i - b) / s (DeepSeekMath, arXiv:2402.03300, eq. 3.1). `baseline` b: "mean" of the group, or
    "leave_one_out", the mean of the other G - 1 (RLOO, arXiv:2402.14740). `scale` s: "std" of the group, or "none"
    (Dr. GRPO, arXiv:2503.20783).

    The standard deviation is the population's (divided by G), so rewards 1 0 1 0 give exactly +1 -1 +1 -1;
    `torch.std`'s default divides by G - 1 and would give +-0.866. A group without variance gets zeros.

    Args: rewards_G: [G] float. Returns: [G] float. Raises ValueError for leave_one_out with G < 2.
    """
    G = rewards_G.numel()
    if baseline == "leave_one_out" and G < 2:
        raise ValueError("a leave-one-out baseline needs at least 2 completions a problem")
    centred_G = rewards_G - rewards_G.mean()
    std = centred_G.square().mean().sqrt()
    if float(rewards_G.max() - rewards_G.min()) == 0.0:  # exact: a mean of equal floats may be off by one ulp
        return torch.zeros_like(rewards_G)
    if baseline == "leave_one_out":
        centred_G = centred_G * (G / (G - 1))  # r_i - mean of the others
    return centred_G / std if scale == "std" else centred_G
