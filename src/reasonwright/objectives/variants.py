"""Published variants of the group-relative policy gradient, each a set of parameters. No torch in here.

baseline, scale   of the advantage (`advantage.py`)
ratio             token: pi/pi_old of each token. sequence: of the whole completion, the product of its tokens' ratios
                  (the article). sequence_mean: the geometric mean of them (GSPO).
clip              pessimistic: min(r A, clip(r) A), as in PPO. detached: the clipped ratio is a constant weight on
                  A log pi (CISPO), so that clipped tokens still learn.
epsilon_low/high  the ratio is clipped to [1 - epsilon_low, 1 + epsilon_high]
aggregate         completion: mean over a completion's tokens, then over completions. token: mean over all tokens of
                  the step. constant: sum over tokens / (completions x max_tokens), free of length bias.
dynamic_sampling  sample further problems until the step is full of groups that carry signal
"""

from __future__ import annotations

from typing import Any

VARIANTS: dict[str, dict[str, Any]] = {
    # DeepSeekMath, arXiv:2402.03300, eq. 3
    "grpo": {
        "baseline": "mean",
        "scale": "std",
        "ratio": "token",
        "clip": "pessimistic",
        "epsilon_low": 0.2,
        "epsilon_high": 0.2,
        "aggregate": "completion",
        "dynamic_sampling": False,
    },
}
VARIANTS |= {
    # the article's formula: one ratio for the whole completion
    "article": VARIANTS["grpo"] | {"ratio": "sequence"},
    # Understanding R1-Zero-like training, arXiv:2503.20783: no division by std or length
    "dr_grpo": VARIANTS["grpo"] | {"scale": "none", "aggregate": "constant"},
    # DAPO, arXiv:2503.14476: clip-higher, token-level loss, dynamic sampling
    "dapo": VARIANTS["grpo"] | {"epsilon_high": 0.28, "aggregate": "token", "dynamic_sampling": True},
    # Group Sequence Policy Optimization, arXiv:2507.18071
    "gspo": VARIANTS["grpo"] | {"ratio": "sequence_mean", "epsilon_low": 3e-4, "epsilon_high": 4e-4},
    # MiniMax-M1, arXiv:2506.13585: only the upper bound acts
    "cispo": VARIANTS["grpo"] | {"clip": "detached", "epsilon_low": 1.0, "epsilon_high": 5.0, "aggregate": "token"},
    # Back to basics, arXiv:2402.14740: REINFORCE on whole completions with a leave-one-out baseline
    "rloo": VARIANTS["grpo"] | {"baseline": "leave_one_out", "scale": "none", "ratio": "sequence"},
}
