"""From problems to groups of scored completions, and from groups to batches with everything the loss needs."""

from __future__ import annotations

import functools
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import pack, sequences_of, token_weights, trained_tokens
from reasonwright.models.forward import batch_logprobs
from reasonwright.objectives.advantage import group_advantages
from reasonwright.objectives.kl import kl_estimate, penalised_reward
from reasonwright.sampling import Sampler, SampleRequest, SamplingParams
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Batch, Completion, Problem, Reward, Rollout, RolloutGroup

Scorer = Callable[[Problem, Completion], Reward]


def problems_of(pool: Sequence[Problem], draw: int, count: int, seed: int) -> list[Problem]:
    """The `draw`-th `count` problems of an endless stream of permutations of the pool; a function of (seed, draw)."""
    picked = []
    for at in range(draw * count, (draw + 1) * count):
        epoch, within = divmod(at, len(pool))
        picked.append(pool[_permutation(len(pool), f"{seed}/{epoch}")[within]])
    return picked


@functools.lru_cache(maxsize=2)
def _permutation(n: int, name: str) -> list[int]:
    order = list(range(n))
    random.Random(name).shuffle(order)
    return order


def step_seed(seed: int, step: int | str) -> int:
    """The seed of a step (or stage), so that a problem met again is answered with fresh random numbers."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:8], "big")


def keys_of(problems: Sequence[Problem]) -> list[str]:
    """Names for the random stream: a problem that comes twice, at the seam of two permutations, gets two."""
    met: Counter[str] = Counter()
    keys = []
    for problem in problems:
        keys.append(f"{problem.id}#{met[problem.id]}" if met[problem.id] else problem.id)
        met[problem.id] += 1
    return keys


def is_informative(group: RolloutGroup) -> bool:
    """Whether the completions' outcomes differ.

    Decided on the outcome alone, before shaping and KL: in a group that is all wrong the standard deviation would
    otherwise blow KL noise up to advantages of +-1.
    """
    return len({rollout.reward.outcome for rollout in group.rollouts}) > 1


def rollout(
    sampler: Sampler,
    chat: ChatFormat,
    pool: Sequence[Problem],
    score: Scorer,
    settings: GRPOSettings,
    seed: int,
    step: int,
) -> tuple[list[RolloutGroup], dict[str, float]]:
    """The step's groups, sampled and scored, and the seconds of both.

    With dynamic sampling (DAPO) further problems are drawn until `problems_per_step` groups carry signal, at most
    `dynamic_sampling_rounds` times; the groups without signal are kept for the metrics.
    """
    rounds = settings.dynamic_sampling_rounds if settings.loss.dynamic_sampling else 1
    groups: list[RolloutGroup] = []
    sampling = scoring = 0.0
    for round_ in range(rounds):
        draw = step * rounds + round_
        problems = problems_of(pool, draw, settings.problems_per_step, seed)
        prompts = [chat.prompt(problem.question).ids for problem in problems]
        requests = [SampleRequest(ids, key) for ids, key in zip(prompts, keys_of(problems), strict=True)]
        params = SamplingParams(
            settings.group_size, settings.max_tokens, settings.temperature, seed=step_seed(seed, draw)
        )
        t0 = time.perf_counter()
        sampled = sampler.sample(requests, params)
        t1 = time.perf_counter()
        groups += [
            RolloutGroup(problem, prompt_ids, [Rollout(c, score(problem, c)) for c in completions])
            for problem, prompt_ids, completions in zip(problems, prompts, sampled, strict=True)
        ]
        sampling, scoring = sampling + t1 - t0, scoring + time.perf_counter() - t1
        if sum(map(is_informative, groups)) >= settings.problems_per_step:
            break
    return groups, {"seconds/sampling": sampling, "seconds/scoring": scoring}


def build_batches(
    groups: Sequence[RolloutGroup], settings: GRPOSettings, counted: Sequence[RolloutGroup], flat: bool = False
) -> list[Batch]:
    """Micro-batches of the groups' completions; [] where there are none.

    `counted` are the groups that the loss is a mean over: the step's, those dropped for want of signal included, so
    that dropping changes nothing. With dynamic sampling they are `groups`, which were drawn in place of the dropped.
    `flat` as in `pack`.
    """
    if not groups:
        return []
    mask_truncated = settings.truncated == "mask"
    sequences = sequences_of(groups, mask_truncated=mask_truncated)
    whole = sequences_of(counted, mask_truncated=mask_truncated)
    weights = token_weights(
        sequences,
        aggregate=settings.loss.aggregate,
        num_completions=len(whole),
        num_tokens=sum(trained_tokens(s, "completion") for s in whole),
        max_tokens=settings.max_tokens,
    )
    return pack(sequences, weights, micro_batch_tokens=settings.optim.micro_batch_tokens, flat=flat)


@torch.no_grad()
def add_reference(batches: Sequence[Batch], reference: Any, temperature: float) -> None:
    """Set `ref_logprobs`: the frozen reference at the sampling temperature."""
    for batch in batches:
        logprobs, _ = batch_logprobs(reference, batch.to(reference.device), temperature)
        batch.ref_logprobs = logprobs.to(batch.input_ids.device)


def set_kl(groups: Sequence[RolloutGroup], batches: Sequence[Batch], estimator: str) -> None:
    """Set each rollout's `kl`: the estimate summed over its tokens, under the policy that sampled them."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    total_N = torch.zeros(len(rollouts))
    for batch in batches:
        assert batch.sampler_logprobs is not None
        assert batch.ref_logprobs is not None
        mask = batch.loss_mask
        kl = kl_estimate(batch.sampler_logprobs[mask], batch.ref_logprobs[mask], estimator)
        total_N.index_add_(0, batch.sequence_ids[mask], kl)
    for rollout_, kl_sum in zip(rollouts, total_N.tolist(), strict=True):
        rollout_.kl = kl_sum


def assign_advantages(groups: Sequence[RolloutGroup], batches: Sequence[Batch], settings: GRPOSettings) -> None:
    """Set every rollout's advantage from its group, and the batches' from the rollouts'.

    A group that is not informative keeps advantages of 0, whatever its KL.
    """
    beta = settings.kl.beta if settings.kl.place == "reward" else 0.0
    for group in filter(is_informative, groups):
        rewards_G = torch.tensor([penalised_reward(r.reward.value, r.kl, beta) for r in group.rollouts])
        advantages_G = group_advantages(rewards_G, baseline=settings.loss.baseline, scale=settings.loss.scale)
        for rollout_, advantage in zip(group.rollouts, advantages_G.tolist(), strict=True):
            rollout_.advantage = advantage
    advantages_N = torch.tensor([r.advantage for group in groups for r in group.rollouts])
    for batch in batches:
        batch.advantages = advantages_N[batch.sequence_ids.clamp(min=0)]
