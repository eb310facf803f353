"""What GRPO would meet: one step's worth of completions, scored as in training, and figures of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch

from reasonwright.chat import ChatFormat
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.precision import compute_dtype
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.metrics import rollout_metrics
from reasonwright.training.rollout import Scorer, build_batches, rollout
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Problem, RolloutGroup

PROBLEMS = 32
"""Groups that are sampled: where a tenth of all groups carry signal, 32 without any come once in 29 times."""
BUCKETS = ("0", "to 1/4", "to 1/2", "to 3/4", "below 1", "1")
"""Of the pass rates of groups."""


def sample_groups(
    model: Any, chat: ChatFormat, problems: Sequence[Problem], score: Scorer, settings: GRPOSettings, seed: int
) -> list[RolloutGroup]:
    """`PROBLEMS` groups by the code that training samples with; where there are fewer problems they come again."""
    loss = settings.loss.model_copy(update={"dynamic_sampling": False})
    once = settings.model_copy(update={"problems_per_step": PROBLEMS, "loss": loss})
    groups, _ = rollout(NativeSampler(model, chat), chat, problems, score, once, seed, step=0)
    return groups


def sample_figures(groups: Sequence[RolloutGroup], stop_ids: frozenset[int]) -> dict[str, Any]:
    """Shares of all completions, and of groups where named so."""
    each = [rollout for group in groups for rollout in group.rollouts]
    step = rollout_metrics(groups)
    names = ("accuracy", "accuracy_lenient", "length", "truncated", "zero_variance")
    ran_on = [r.completion.finish_reason == "length" and r.reward.verdict.extracted is not None for r in each]
    return {
        "groups": len(groups),
        "completions": len(each),
        **{name: step[name] for name in names},
        "ends": fmean(r.completion.token_ids[-1] in stop_ids for r in each),
        "ran_on": fmean(ran_on),
        "pass_rates": _pass_rates(groups),
    }


def _pass_rates(groups: Sequence[RolloutGroup]) -> dict[str, int]:
    """Groups by the share of their completions that are strictly right."""
    counts = dict.fromkeys(BUCKETS, 0)
    for group in groups:
        rate = fmean(r.reward.verdict.strict for r in group.rollouts)
        at = math.ceil(4 * rate) if rate < 1 else 5
        counts[BUCKETS[at]] += 1
    return counts


@torch.no_grad()
def sampler_gap(model: Any, groups: Sequence[RolloutGroup], settings: GRPOSettings) -> float:
    """The largest |log-probability by the trainer - that by the sampler| of any sampled token, nats; of a model that
    computes in bfloat16 the mean, since there rounding alone moves single tokens by 0.1."""
    batches = build_batches(groups, settings.model_copy(update={"truncated": "wrong"}), counted=groups)
    gaps = []
    for batch in batches:
        logprobs, _ = batch_logprobs(model, batch.to(model.device), settings.temperature)
        assert batch.sampler_logprobs is not None
        gap = logprobs.to(batch.input_ids.device) - batch.sampler_logprobs
        gaps.append(gap[batch.loss_mask].abs())
    each = torch.cat(gaps)
    return float(each.mean() if compute_dtype(model) == torch.bfloat16 else each.max())
