"""Work for processes that will be killed. They come from a fork server, so that each starts in a moment."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reasonwright.cli import main
from reasonwright.distillation.rejection import sample_solutions
from reasonwright.distillation.settings import RejectionSettings
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.checkpoint import State
from reasonwright.training.grpo import train_grpo
from reasonwright.training.settings import GRPOSettings, OptimSettings, SFTSettings
from reasonwright.training.sft import train_sft
from reasonwright.types import Reward, Verdict
from toy import SUMS, fill, fresh_model, numbered, toy_chat

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["reasonwright.pipeline", "transformers.models.qwen3.modeling_qwen3"])

SFT = SFTSettings(
    epochs=4,
    batch_size=4,
    checkpoint_every=3,
    eval_every=2,
    optim=OptimSettings(lr=1e-2, warmup_steps=3, micro_batch_tokens=64),
)
"""8 steps of two micro-batches."""
GRPO = GRPOSettings.model_validate(
    {
        "steps": 4,
        "problems_per_step": 3,  # of 8 problems: steps go over the seams of permutations
        "group_size": 3,
        "max_tokens": 6,
        "updates_per_rollout": 2,
        "kl": {"place": "reward", "beta": 0.05},
        "optim": {"lr": 3e-3, "warmup_steps": 2, "schedule": "cosine", "micro_batch_tokens": 120},
        "checkpoint_every": 3,
        "eval_every": 2,
    }
)
"""8 updates, two on each batch of rollouts, of two or more micro-batches."""
REJECTION = RejectionSettings(solutions_per_problem=4, problems_per_chunk=1, max_tokens=24)
"""8 chunks."""


def start(function: Callable, *arguments: Any, log: Path | None = None) -> Any:
    """A real process that calls `function`; what it says goes to `log`."""
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read when the server imports torch
    try:
        process = FORKS.Process(target=_run, args=(function, arguments, str(log or os.devnull)), daemon=True)
        process.start()
    finally:
        os.environ.pop("OMP_NUM_THREADS") if threads is None else os.environ.update(OMP_NUM_THREADS=threads)
    return process


def finish(function: Callable, *arguments: Any, log: Path | None = None) -> int:
    """Call `function` in a process of its own; its exit status."""
    process = start(function, *arguments, log=log)
    process.join(120)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def _run(function: Callable, arguments: tuple, log: str) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    function(*arguments)


def command(*argv: object) -> None:
    """The command line; the process ends with its exit status."""
    main([str(argument) for argument in argv])


def low_ids(_: Any, completion: Any) -> Reward:
    """A reward that random weights earn now and then."""
    value = sum(token < 512 for token in completion.token_ids) / len(completion.token_ids)
    return Reward(value, value, {"low": value}, Verdict(value > 0.5, False, None))


def short_words(_: Any, completion: Any) -> float:
    """A reward for a recipe, that any model earns now and then."""
    return float(len(completion.text.split()) > 4)


def sft(folder: Path, stop: Callable[[], bool] = lambda: False, settings: SFTSettings = SFT) -> Any:
    model = fresh_model()
    train_sft(model, toy_chat(), SUMS, settings, seed=5, folder=folder, held_out=SUMS[:2], stop=stop)
    return model


def grpo(folder: Path, stop: Callable[[], bool] = lambda: False, settings: GRPOSettings = GRPO) -> Any:
    model = fresh_model()
    train_grpo(
        model, toy_chat(), SUMS, low_ids, settings, seed=5, folder=folder, evaluate=lambda: 0.5, stop=stop
    )  # fmt: skip
    return model


def rejection(folder: Path, stop: Callable[[], bool] = lambda: False) -> None:
    sampler = NativeSampler(fresh_model(), toy_chat())
    sample_solutions(sampler, toy_chat(), SUMS, REJECTION, seed=9, file=folder / "solutions.jsonl", stop=stop)


def keep_saving(folder: Path, says: Any) -> None:
    """Checkpoint after checkpoint; says when one begins, and when it is committed."""
    checkpoints = numbered(folder)
    step = checkpoints.load().step
    while True:
        step += 1
        fill(checkpoints.policy, step)
        says.send(("begins", step, 0.0))
        began = time.perf_counter()
        checkpoints.commit(State(step), score=-abs(step - 5.0))
        says.send(("done", step, time.perf_counter() - began))
