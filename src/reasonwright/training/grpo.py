"""Stage 2: group relative policy optimisation with verifiable rewards. Teaches the quality.

What it does not do: no critic, no replay of old rollouts, no asynchronous sampling. The policy that samples is the
policy that is updated, on the same weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from reasonwright.chat import ChatFormat
from reasonwright.display import Bar
from reasonwright.models.attention import packs_flat
from reasonwright.objectives.policy_loss import policy_loss
from reasonwright.runlog import append_jsonl, keep_steps_before, last_metrics
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.checkpoint import load_checkpoint, save_checkpoint
from reasonwright.training.metrics import rollout_metrics, rollout_rows
from reasonwright.training.microscope import observe
from reasonwright.training.policy import Policy
from reasonwright.training.rollout import (
    Scorer,
    add_reference,
    assign_advantages,
    build_batches,
    is_informative,
    rollout,
    set_kl,
)
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Batch, LossOutput, Problem


def train_grpo(
    model: Any,
    chat: ChatFormat,
    problems: Sequence[Problem],
    score: Scorer,
    settings: GRPOSettings,
    *,
    seed: int,
    folder: Path,
    evaluate: Callable[[], float] | None = None,
    title: str = "grpo",
) -> dict[str, Any]:
    """Train `model` in place (DeepSeekMath, arXiv:2402.03300, algorithm 1), logging to `folder`; the last metrics.

    `evaluate` is called every `eval_every` steps and returns an accuracy. Goes on from the newest checkpoint in
    `folder/checkpoints`.
    """
    reference = copy.deepcopy(model).eval().requires_grad_(False) if settings.kl.place != "none" else None
    policy = Policy(model, settings.optim, settings.steps * settings.updates_per_rollout)
    sampler = NativeSampler(model, chat)
    start, _ = load_checkpoint(folder / "checkpoints", policy)
    for name in ("metrics.jsonl", "rollouts.jsonl", "microscope.jsonl"):
        keep_steps_before(folder / name, start)
    metrics: dict[str, Any] = last_metrics(folder / "metrics.jsonl")
    with Bar(title, settings.steps, start) as bar:
        for step in range(start, settings.steps):
            groups, seconds = rollout(sampler, chat, problems, score, settings, seed, step)
            began = time.perf_counter()
            kept = [group for group in groups if is_informative(group)]
            counted = kept if settings.loss.dynamic_sampling else groups
            batches = build_batches(kept, settings, counted, flat=packs_flat(model))
            if reference is not None:
                add_reference(batches, reference, settings.temperature)
            if settings.kl.place == "reward":
                set_kl(kept, batches, settings.kl.estimator)
            assign_advantages(kept, batches, settings)
            metrics = rollout_metrics(groups) | update(policy, batches, settings)
            seconds["seconds/training"] = time.perf_counter() - began
            metrics |= seconds | speeds(metrics, seconds, len(groups) * settings.group_size)
            if evaluate and settings.eval_every and (step + 1) % settings.eval_every == 0:
                metrics["eval/accuracy"] = evaluate()
            append_jsonl(folder / "metrics.jsonl", [{"step": step} | metrics])
            append_jsonl(folder / "rollouts.jsonl", rollout_rows(groups[: settings.logged_groups], step))
            append_jsonl(folder / "microscope.jsonl", observe(policy, kept, batches, settings, chat, step))
            if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.steps:
                save_checkpoint(folder / "checkpoints", policy, step + 1)
            bar.advance(reward=metrics["reward"], length=metrics["length"])
    return metrics


def update(policy: Policy, batches: list[Batch], settings: GRPOSettings) -> dict[str, Any]:
    """`updates_per_rollout` optimiser steps on one batch of rollouts; the first one's metrics, skipped steps summed.
    Where no group carried signal, means over tokens are null and the weights stay.

    The ratio's denominator is the policy that sampled. For a single update that is the sampler's own number; for
    several it is computed by the trainer before the first, so that sampler and trainer need not agree to the last bit.
    """
    old = policy.logprobs(batches, settings.temperature) if settings.updates_per_rollout > 1 else None
    for i, batch in enumerate(batches):
        batch.old_logprobs = old[i].to(batch.input_ids.device) if old else batch.sampler_logprobs

    def loss(logprobs: torch.Tensor, batch: Batch) -> LossOutput:
        out = policy_loss(
            logprobs,
            batch,
            ratio=settings.loss.ratio,
            clip=settings.loss.clip,
            epsilon_low=settings.loss.epsilon_low,
            epsilon_high=settings.loss.epsilon_high,
            kl_beta=settings.kl.beta if settings.kl.place == "loss" else 0.0,
            kl_estimator=settings.kl.estimator,
        )
        assert batch.sampler_logprobs is not None
        gap = (logprobs.detach() - batch.sampler_logprobs)[batch.loss_mask].abs().sum()
        return LossOutput(out.loss, out.metrics | {"sampler_gap": float(gap)})

    unknown = {} if batches else dict.fromkeys(("entropy", "clip_share", "kl", "ratio", "sampler_gap"))
    each = [policy.update(batches, loss, settings.temperature) for _ in range(settings.updates_per_rollout)]
    last = {name: each[-1][name] for name in ("clip_share", "kl", "ratio") if name in each[-1]}  # what the updates did
    return unknown | each[0] | last | {"skipped": sum(metrics["skipped"] for metrics in each)}


def speeds(metrics: dict[str, Any], seconds: dict[str, float], completions: int) -> dict[str, float]:
    """Completion tokens a second: of all that were sampled and scored, and of those trained on."""
    sampled = metrics["length"] * completions
    return {
        "tokens_per_s/sampling": sampled / max(seconds["seconds/sampling"], 1e-9),
        "tokens_per_s/scoring": sampled / max(seconds["seconds/scoring"], 1e-9),
        "tokens_per_s/training": metrics["tokens"] / max(seconds["seconds/training"], 1e-9),
    }
