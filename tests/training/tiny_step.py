"""A small policy and the groups of one GRPO step."""

from __future__ import annotations

import random

import torch

from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.models.load import load_model
from reasonwright.training.policy import Policy
from reasonwright.training.settings import GRPOSettings, OptimSettings
from reasonwright.types import Batch, Completion, Problem, Reward, Rollout, RolloutGroup, Verdict

VOCABULARY = 1000


def tiny_policy(**optim) -> Policy:
    """In float64: what is left of a difference is a mistake and not rounding."""
    settings = OptimSettings.model_validate({"lr": 1e-3, "schedule": "constant", **optim})
    return Policy(load_model("embedded:tiny", dtype=torch.float64), settings, total_steps=100)


def sft_batches(micro_batch_tokens: int = 30) -> list[Batch]:
    rng = random.Random(7)
    rows = [
        TokenSequence(random_ids(rng, rng.randint(1, 4)), random_ids(rng, rng.randint(2, 8)), train=True)
        for _ in range(6)
    ]
    return pack(rows, token_weights(rows, aggregate="token"), micro_batch_tokens=micro_batch_tokens)


def random_ids(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(VOCABULARY) for _ in range(count)]


def group(name: str, outcomes: list[float], values: list[float] | None = None, cut: tuple[int, ...] = ()):
    """Completions of random tokens with these outcomes; `values` are whole rewards where shaping adds to them, `cut`
    the indices of truncated completions."""
    rng = random.Random(name)
    rollouts = []
    for i, outcome in enumerate(outcomes):
        ids = random_ids(rng, rng.randint(1, 6))
        completion = Completion(ids, [-rng.uniform(5, 8) for _ in ids], "", "length" if i in cut else "stop")
        value = values[i] if values else outcome
        verdict = Verdict(outcome == 1.0, outcome == 1.0, None)
        rollouts.append(Rollout(completion, Reward(value, outcome, {"accuracy": outcome}, verdict)))
    return RolloutGroup(Problem(name, "?", "1"), random_ids(rng, rng.randint(2, 5)), rollouts)


def grpo_settings(**changes) -> GRPOSettings:
    optim = {"lr": 1e-3, "schedule": "constant", "micro_batch_tokens": 30}
    return GRPOSettings.model_validate({"group_size": 4, "max_tokens": 8, "temperature": 0.7, "optim": optim} | changes)


def gradient(policy: Policy) -> torch.Tensor:
    """Of the first step, from AdamW's first moment, which is (1 - beta1) times the clipped gradient."""
    share = 1 - policy.settings.beta1
    moments = [policy.optimizer.state[p]["exp_avg"].flatten() for p in policy.model.parameters()]
    return torch.cat(moments) / share


def weights(policy: Policy) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in policy.model.parameters()])


def state(policy: Policy) -> list[torch.Tensor]:
    """Copies of all weights, moments and step counts."""
    moments = [policy.optimizer.state[p] for p in policy.model.parameters()]
    return [weights(policy)] + [s[key].clone() for s in moments for key in sorted(s)]
