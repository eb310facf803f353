"""Stage 2: group relative policy optimisation with verifiable rewards. Teaches the quality.

What it does not do: no critic, no replay of old rollouts, no asynchronous sampling. The policy that samples is the
policy that is updated, on the same weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from reasonwright.chat import ChatFormat
from reasonwright.display import Bar
from reasonwright.models.attention import packs_flat
from reasonwright.models.lora import has_adapter, without_adapter
from reasonwright.objectives.policy_loss import policy_loss
from reasonwright.runlog import append_jsonl, keep_steps_before, last_metrics
from reasonwright.sampling import Sampler
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.buffer import RolloutBuffer
from reasonwright.training.checkpoint import Checkpoints
from reasonwright.training.metrics import rollout_metrics, rollout_rows
from reasonwright.training.microscope import look_again, watched_group
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
from reasonwright.training.watch import watch_run
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
    stop: Callable[[], bool] = lambda: False,
    title: str = "grpo",
) -> dict[str, Any]:
    """Train `model` in place (DeepSeekMath, arXiv:2402.03300, algorithm 1), logging to `folder`; the last metrics.

    `evaluate` is called every `eval_every` steps and returns an accuracy. Goes on from the newest checkpoint in
    `folder/checkpoints`. Raises Stopped where `stop()` said to stop and the update's checkpoint is committed. The
    reference is the model as it came: a copy, or of a model with a fresh adapter the same model with the adapter off.
    """
    reference = None
    if settings.kl.place != "none":
        reference = model if has_adapter(model) else copy.deepcopy(model).eval().requires_grad_(False)
    policy = Policy(model, settings.optim, settings.steps * settings.updates_per_rollout)
    sampler = NativeSampler(model, chat)
    checkpoints = Checkpoints(folder / "checkpoints", policy, chat, settings, settings.steps, stop)
    state = checkpoints.load()
    buffer = RolloutBuffer.restored(state)
    for name in ("metrics.jsonl", "rollouts.jsonl", "microscope.jsonl"):
        keep_steps_before(folder / name, state.step)
    watch = watch_run(folder)
    metrics: dict[str, Any] = last_metrics(folder / "metrics.jsonl")
    with Bar(title, settings.steps, state.step) as bar:
        for step in range(state.step, settings.steps):
            if buffer is None:
                buffer = collect(sampler, chat, problems, score, reference, settings, seed, step, packs_flat(model))
            pause = partial(checkpoints.within_step, partial(buffer.state, step))
            metrics = buffer.metrics | update(policy, buffer.batches, settings, buffer.updates, pause)
            metrics |= speeds(metrics, buffer)
            if evaluate and settings.eval_every and (step + 1) % settings.eval_every == 0:
                metrics["eval/accuracy"] = evaluate()
            append_jsonl(folder / "metrics.jsonl", [{"step": step} | metrics])
            watch({"step": step} | metrics)
            append_jsonl(folder / "rollouts.jsonl", buffer.rows)
            append_jsonl(folder / "microscope.jsonl", look_again(policy, buffer.watched, settings))
            checkpoints.after_step(step + 1, metrics.get("eval/accuracy"))
            bar.advance(reward=metrics["reward"], length=metrics["length"])
            buffer = None
    return metrics


def collect(
    sampler: Sampler,
    chat: ChatFormat,
    problems: Sequence[Problem],
    score: Scorer,
    reference: Any,
    settings: GRPOSettings,
    seed: int,
    step: int,
    flat: bool,
) -> RolloutBuffer:
    """The step's completions, scored, with their advantages, packed (`flat` as in `pack`): all that its updates learn
    from."""
    groups, seconds = rollout(sampler, chat, problems, score, settings, seed, step)
    began = time.perf_counter()
    kept = [group for group in groups if is_informative(group)]
    counted = kept if settings.loss.dynamic_sampling else groups
    batches = build_batches(kept, settings, counted, flat=flat)
    if reference is not None:
        with without_adapter(reference):
            add_reference(batches, reference, settings.temperature)
    if settings.kl.place == "reward":
        set_kl(kept, batches, settings.kl.estimator)
    assign_advantages(kept, batches, settings)
    return RolloutBuffer(
        batches,
        metrics=rollout_metrics(groups),
        rows=rollout_rows(groups[: settings.logged_groups], step),
        watched=watched_group(kept, batches, settings, chat, step),
        completions=len(groups) * settings.group_size,
        seconds=seconds | {"seconds/training": time.perf_counter() - began},
    )


def update(
    policy: Policy,
    batches: list[Batch],
    settings: GRPOSettings,
    done: list[dict[str, Any]] | None = None,
    pause: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """`updates_per_rollout` optimiser steps on one batch of rollouts; the first one's metrics, skipped steps summed.
    Where no group carried signal, means over tokens are null and the weights stay.

    The ratio's denominator is the policy that sampled. For a single update that is the sampler's own number; for
    several it is computed by the trainer before the first, so that sampler and trainer need not agree to the last bit.

    `done`: the metrics of the updates that a stopped run had done, added to here; `pause` is called between two.
    """
    each = [] if done is None else done
    began = time.perf_counter()
    if not each:
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
    while len(each) < settings.updates_per_rollout:
        metrics = policy.update(batches, loss, settings.temperature)
        now = time.perf_counter()
        each.append(metrics | {"seconds/training": now - began})
        began = now
        if len(each) < settings.updates_per_rollout:
            pause()
    last = {name: each[-1][name] for name in ("clip_share", "kl", "ratio") if name in each[-1]}  # what the updates did
    sums = {name: sum(metrics[name] for metrics in each) for name in ("skipped", "seconds/training")}
    return unknown | each[0] | last | sums


def speeds(metrics: dict[str, Any], buffer: RolloutBuffer) -> dict[str, float]:
    """Seconds of a step's parts, and completion tokens a second: of all that were sampled and scored, and of those
    trained on."""
    sampled = metrics["length"] * buffer.completions
    preparation = buffer.seconds["seconds/training"]
    seconds = buffer.seconds | {"seconds/training": preparation + metrics["seconds/training"]}
    return seconds | {
        "tokens_per_s/sampling": sampled / max(seconds["seconds/sampling"], 1e-9),
        "tokens_per_s/scoring": sampled / max(seconds["seconds/scoring"], 1e-9),
        "tokens_per_s/training": metrics["tokens"] / max(seconds["seconds/training"], 1e-9),
    }
