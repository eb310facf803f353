"""The eyes on a GRPO run: one plain sentence with its mend where a run goes wrong, each at most once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from reasonwright.display import console
from reasonwright.runlog import append_jsonl, read_jsonl

WINDOW = 5
"""Steps that a level is a mean of: one step's figures are noisy."""
COLLAPSE = 0.1
"""Entropy at a tenth of its start, while …"""
COLLAPSE_ACCURACY = 0.75
"""… fewer are right: a policy that is mostly right may well be sure of itself."""
TRUNCATED, TRUNCATED_RISE = 0.25, 0.15
"""A quarter is cut, and so much more than at the start."""
KL = 0.5
"""Nats a token from the reference: e^50 over 100 tokens. Healthy runs end at 0.01 to 0.1."""
ZERO_VARIANCE = 0.9
"""Nine tenths of the sampling for nothing."""
REWARD_RISE, HELD_OUT_FALL = 0.02, 0.05
"""Reward up and held-out accuracy down since its best, at two evaluations in a row: one is noise at 100 problems."""

Rows = Sequence[dict[str, Any]]


class Watcher:
    """Fed with every step's row of metrics in order; answers with what is new to say."""

    def __init__(self, said: Sequence[str] = ()):
        self.said = set(said)
        """Kinds of warnings that were given."""
        self.rows: list[dict[str, Any]] = []

    def see(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The warnings that this step gives rise to: {"step", "kind", "text"}."""
        self.rows.append(row)
        found = []
        for kind, look in CHECKS.items():
            text = None if kind in self.said else look(self.rows)
            if text:
                self.said.add(kind)
                found.append({"step": row["step"], "kind": kind, "text": text})
        return found


def watch_run(folder: Path) -> Callable[[dict[str, Any]], None]:
    """A watcher of the run in `folder` that prints its warnings and keeps them in warnings.jsonl.

    It has seen the rows of metrics.jsonl already, and says nothing again that stands in warnings.jsonl.
    """
    file = folder / "warnings.jsonl"
    watcher = Watcher([row["kind"] for row in read_jsonl(file)])
    watcher.rows = read_jsonl(folder / "metrics.jsonl")

    def watch(row: dict[str, Any]) -> None:
        for warning in watcher.see(row):
            append_jsonl(file, [warning])
            console.print(f"step {warning['step']}: {warning['text']}", style="yellow", markup=False)

    return watch


# -- what is looked for: a sentence, or None -------------------------------------------------------------------------


def _entropy(rows: Rows) -> str | None:
    first, last = _first(rows, "entropy"), _last(rows, "entropy")
    if first is None or last is None or last >= COLLAPSE * first:
        return None
    right = _last(rows, "accuracy") or 0.0
    if right >= COLLAPSE_ACCURACY:
        return None
    return (
        f"entropy fell from {first:.2g} to {last:.2g} nats a token while {right:.0%} are right, so nothing new is "
        "tried: raise loss.epsilon_high (DAPO: 0.28) or kl.beta, or lower optim.lr"
    )


def _truncation(rows: Rows) -> str | None:
    first, last = _first(rows, "truncated"), _last(rows, "truncated")
    if first is None or last is None or last < TRUNCATED or last < first + TRUNCATED_RISE:
        return None
    return (
        f"completions cut at max_tokens rose from {first:.0%} to {last:.0%}: raise max_tokens, or weigh length less "
        "(loss.variant dr_grpo, truncated: mask)"
    )


def _kl(rows: Rows) -> str | None:
    newest = rows[-1].get("kl")
    if newest is not None and not math.isfinite(newest):
        return "KL is no longer a finite number: go on from an earlier checkpoint with a lower optim.lr"
    last = _last(rows, "kl")
    if last is None or abs(last) < KL:
        return None
    return (
        f"KL from the reference is {last:.2g} nats a token, so the policy has left its language: lower optim.lr "
        "or raise kl.beta, and use an earlier checkpoint"
    )


def _zero_variance(rows: Rows) -> str | None:
    share = _last(rows, "zero_variance")
    if share is None or share < ZERO_VARIANCE:
        return None
    right = _last(rows, "accuracy") or 0.0
    mend = "stop here, or give harder problems" if right > 0.5 else "give easier problems or a larger group_size"
    return f"{share:.0%} of groups carry no signal, with {right:.0%} of all completions right: {mend}"


def _hacking(rows: Rows) -> str | None:
    """Reward hacking: what is rewarded rises, what is wanted falls."""
    measured = [i for i, row in enumerate(rows) if row.get("eval/accuracy") is not None]
    if len(measured) < 3 or measured[-1] != len(rows) - 1:
        return None
    held_out = {i: rows[i]["eval/accuracy"] for i in measured}
    best = max(measured, key=lambda i: held_out[i])
    reward_then, reward_now = _last(rows[: best + 1], "reward", 1), _last(rows, "reward", 1)
    if reward_then is None or reward_now is None or reward_now < reward_then + REWARD_RISE:
        return None
    if any(held_out[i] > held_out[best] - HELD_OUT_FALL for i in measured[-2:]):
        return None
    return (
        f"the reward rose to {reward_now:.2f} while held-out accuracy fell from {held_out[best]:.0%} (step "
        f"{rows[best]['step']}) to {held_out[measured[-1]]:.0%}: read rollouts.jsonl for what is rewarded "
        "without being right, and mend the reward"
    )


def _first(rows: Rows, name: str) -> float | None:
    return _mean(rows[:WINDOW], name, WINDOW)


def _last(rows: Rows, name: str, least: int = WINDOW) -> float | None:
    return _mean(rows[-WINDOW:], name, least)


def _mean(rows: Rows, name: str, least: int) -> float | None:
    """The mean over at least so many steps; those without the figure, or with one that is not finite, are left out."""
    values = [row[name] for row in rows if row.get(name) is not None and math.isfinite(row[name])]
    return fmean(values) if values and len(rows) >= least else None


CHECKS: dict[str, Callable[[Rows], str | None]] = {
    "entropy": _entropy,
    "truncation": _truncation,
    "kl": _kl,
    "zero_variance": _zero_variance,
    "reward_hacking": _hacking,
}
