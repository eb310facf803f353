"""The objectives written out slowly: plain Python floats (float64), one sample and one token after another.

Nothing here comes from the package, and where a formula has two equivalent forms this file uses the other one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Sample:
    """One completion: everything that the loss may know about it. Lists are [C]."""

    prompt: list[int]
    completion: list[int]
    old: list[float]
    ref: list[float]
    advantage: float
    trained: bool = True


def advantages(rewards: list[float], baseline: str, scale: str) -> list[float]:
    """Of one group, by the definitions."""
    G = len(rewards)
    mean = math.fsum(rewards) / G
    std = math.sqrt(math.fsum((r - mean) ** 2 for r in rewards) / G)
    result = []
    for i, r in enumerate(rewards):
        others = [other for j, other in enumerate(rewards) if j != i]
        base = mean if baseline == "mean" else math.fsum(others) / len(others)
        result.append((r - base) / std if scale == "std" else r - base)
    return result


def kl(logprob: float, ref: float, estimator: str) -> float:
    """With x = pi_ref / pi: k1 = -log x, k2 = (log x)^2 / 2, k3 = x - 1 - log x."""
    x = math.exp(ref) / math.exp(logprob)
    return {"k1": -math.log(x), "k2": math.log(x) ** 2 / 2, "k3": x - 1 - math.log(x)}[estimator]


def ratios(logprobs: list[float], old: list[float], level: str) -> list[float]:
    """One for each token of a completion."""
    each = [math.exp(new) / math.exp(was) for new, was in zip(logprobs, old, strict=True)]
    if level == "token":
        return each
    whole = math.prod(each)
    return [whole if level == "sequence" else whole ** (1 / len(each))] * len(each)


def surrogate(ratio: float, advantage: float, low: float, high: float) -> tuple[float, bool]:
    """PPO's clipped objective by cases, and whether the clip acted: a good token is pushed up to 1 + high at most, a
    bad one down to 1 - low at least; what moved in the wrong direction is never clipped."""
    if advantage > 0 and ratio > 1 + high:
        return (1 + high) * advantage, True
    if advantage < 0 and ratio < 1 - low:
        return (1 - low) * advantage, True
    return ratio * advantage, False


def policy_loss(
    samples: list[Sample],
    logprobs: list[list[float]],
    variant: dict,
    *,
    kl_beta: float,
    kl_estimator: str,
    num_completions: int,
    max_tokens: int,
    frozen: list[list[float]] | None = None,
) -> dict[str, float]:
    """Loss of the step, and its sums over trained tokens: tokens, clip_share, ratio, kl (always k3).

    `frozen`: the log-probabilities at which a detached ratio is taken, by default `logprobs`.
    """
    low, high = variant["epsilon_low"], variant["epsilon_high"]
    all_tokens = sum(len(s.completion) for s in samples if s.trained)
    loss = clipped = ratio_sum = kl_sum = 0.0
    for i, sample in enumerate(samples):
        if not sample.trained:
            continue
        divisor = {
            "completion": num_completions * len(sample.completion),
            "token": all_tokens,
            "constant": num_completions * max_tokens,
        }[variant["aggregate"]]
        r = ratios(logprobs[i], sample.old, variant["ratio"])
        fixed = ratios((frozen or logprobs)[i], sample.old, variant["ratio"])
        for t, logprob in enumerate(logprobs[i]):
            if variant["clip"] == "detached":
                weight = min(max(fixed[t], 1 - low), 1 + high)
                gain, hit = weight * sample.advantage * logprob, weight != fixed[t]
            else:
                gain, hit = surrogate(r[t], sample.advantage, low, high)
            penalty = kl_beta * kl(logprob, sample.ref[t], kl_estimator) if kl_beta else 0.0
            loss += (penalty - gain) / divisor
            clipped += hit
            ratio_sum += r[t]
            kl_sum += kl(logprob, sample.ref[t], "k3")
    return {"loss": loss, "tokens": all_tokens, "clip_share": clipped, "ratio": ratio_sum, "kl": kl_sum}


def gradient(loss, logprobs: list[list[float]], h: float = 1e-6) -> list[list[float]]:
    """Central differences of `loss(logprobs)` by every single log-probability."""
    result = []
    for i, row in enumerate(logprobs):
        result.append([])
        for t in range(len(row)):
            sides = []
            for sign in (1, -1):
                moved = [list(r) for r in logprobs]
                moved[i][t] += sign * h
                sides.append(loss(moved))
            result[i].append((sides[0] - sides[1]) / (2 * h))
    return result
