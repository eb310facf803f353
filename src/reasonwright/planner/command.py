"""`reasonwright plan RECIPE`: memory by part, seconds by stage, and what dominates both."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.display import console
from reasonwright.models.attention import packs_flat
from reasonwright.models.device import pick_device
from reasonwright.models.load import load_config
from reasonwright.models.lora import add_adapter
from reasonwright.models.open import open_model
from reasonwright.models.settings import LoadOptions
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.planner.memory import fitting_micro_batch, free_memory, gib, memory, peak
from reasonwright.planner.stages import Work, works_of
from reasonwright.recipe import Recipe
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import MAX_ROWS, NativeSampler, cache_room
from reasonwright.training.policy import Policy

OPERATIONS = {"cpu": 2e11, "cuda": 2e13}
"""Of the micro-batch that is timed: about two seconds' work …"""
POSITIONS = 2048
"""… and no more than so many positions."""
REPEATS, ENOUGH = 3, 3.0
"""The fastest of so many times counts, or of as many as fit in these seconds: others may use the machine too."""
DECODED = 8
"""Tokens that are timed after a prompt."""
FORWARD = 1 / 3
"""Share of a forward pass in forward and backward."""


@dataclass(frozen=True, slots=True)
class Speed:
    """In seconds."""

    position: float = 0.0
    """Forward and backward."""
    optimizer: float = 0.0
    prompts: float = 0.0
    """Reading those of a full batch of rows."""
    token: float = 0.0
    """One of each row of a full batch."""
    rows: int = 1


def plan(recipe: Recipe) -> None:
    """Print the plan; nothing is written."""
    device = pick_device(recipe.device)
    free = free_memory(device)
    most: dict[str, tuple[float, str]] = {}
    say(f"{recipe.name}: {gib(free)} free here ({device}).")
    for work in works_of(recipe):
        config = load_config(work.model, trust_remote_code=work.trust)
        parts = memory(work, config, device)
        fits = peak(parts) <= free
        say(f"\n{work.stage}: {gib(peak(parts))} at its peak{'' if fits else ', WHICH DOES NOT FIT'}")
        say(f"  {_largest_first(parts, gib)}")
        if work.optim:
            chosen = fitting_micro_batch(work, config, device, free)
            say(f"  micro_batch_tokens: {chosen or 'none fits'} (the recipe's: {work.optim.micro_batch_tokens})")
        seconds = seconds_of(work, measure(work, device)) if fits else {}
        if seconds:
            step = sum(seconds.values())
            say(f"  {step:.2g} s a step ({_largest_first(seconds, '{:.2g}'.format)}), {work.steps} steps:", end=" ")
            say(f"{step * work.steps / 60:.3g} minutes")
        for what, size, by in (("memory", peak(parts), parts), ("time", sum(seconds.values()) * work.steps, seconds)):
            if by:
                most[what] = max(most.get(what, (0.0, "")), (size, f"{work.stage} ({max(by, key=lambda k: by[k])})"))
    say("\n" + "; ".join(f"most {what}: {where}" for what, (_, where) in most.items()) + ".")
    say(
        "Sampled completions count as max_tokens long, so their times are upper bounds. Evaluations and the student on "
        "the SFT data come on top, as does the memory of the program itself (about 0.4 GiB)."
    )


def say(text: str, end: str = "\n") -> None:
    console.print(text, markup=False, end=end)


def _largest_first(values: Mapping[str, float], text: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {text(values[name])}" for name in sorted(values, key=lambda k: -values[k]))


def seconds_of(work: Work, speed: Speed) -> dict[str, float]:
    """Of a step, by what they are for."""
    seconds = {}
    if work.samples:
        batches = math.ceil(work.sequences / speed.rows)
        seconds["sampling"] = batches * (speed.prompts + work.completion * speed.token)
    if work.optim:
        pass_ = work.positions * speed.position
        seconds["training"] = pass_ * work.updates
        seconds["optimiser"] = speed.optimizer * work.updates
        if work.reference:
            seconds["reference"] = FORWARD * pass_
        if work.updates > 1:
            seconds["old log-probabilities"] = FORWARD * pass_
    return seconds


def measure(work: Work, device: str) -> Speed:
    """A few tokens of a full batch of rows, and three optimiser steps on one or two small micro-batches."""
    model, chat = open_model(work.model, LoadOptions(device, work.compute, work.trust))
    parameters = sum(p.numel() for p in model.parameters())
    position = optimizer = prompts = token = 0.0
    rows = 1
    if work.samples:
        prompts, token, rows = _sampling(model, chat, work)
    if work.optim:
        model = add_adapter(model, work.lora, 0) if work.lora else model
        most = max(64, min(work.micro_batch, POSITIONS, int(OPERATIONS[device] / (6 * parameters))))
        position, optimizer = _training(model, work, most)
    return Speed(position, optimizer, prompts, token, rows)


def _sampling(model: Any, chat: ChatFormat, work: Work) -> tuple[float, float, int]:
    """Seconds of a full batch's prompts and of a token of each of its rows, and how many rows that is."""
    chat.stop_ids = frozenset()  # every row goes on to the end
    sampler, most = NativeSampler(model, chat), min(MAX_ROWS, work.sequences)
    rows, _, _ = cache_room(model.config, sampler.decoder, most, work.group, work.prompt, work.completion + 1)
    n = min(work.group, rows)
    requests = [SampleRequest([1] * work.prompt, str(i)) for i in range(rows // n)]
    one, more = (_timed(sampler.sample, requests, SamplingParams(n, t)) for t in (1, 1 + DECODED))
    return one, max(0.0, more - one) / DECODED, rows


def _training(model: Any, work: Work, most: int) -> tuple[float, float]:
    assert work.optim is not None
    completion = min(work.completion, max(8, most - work.prompt))
    count = max(1, min(work.group, (most - work.prompt) // completion)) if work.group > 1 else 1
    sequences = [TokenSequence([1] * min(work.prompt, most), [1] * completion)] * count
    sequences = sequences * max(1, most // (work.prompt + count * completion))
    batch, *_ = pack(sequences, [0.0] * len(sequences), micro_batch_tokens=most, flat=packs_flat(model))
    policy = Policy(model, work.optim, total_steps=3)
    policy.update([batch], sft_loss)  # makes the moments
    one, two = (_timed(policy.update, b, sft_loss) for b in ([batch], [batch, batch]))
    pass_ = max(two - one, 0.5 * one / 2)  # noise must not make it nothing
    return pass_ / batch.input_ids.numel(), max(0.0, one - pass_)


def _timed(work: Callable[..., Any], *arguments: Any) -> float:
    """Seconds of the fastest of a few times."""
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        began = time.perf_counter()
        work(*arguments)  # what it returns has come from the device
        seconds.append(time.perf_counter() - began)
    return min(seconds)
