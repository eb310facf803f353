"""Single steps of GRPO token by token: reward, advantage, ratio, clipping and KL (the article's figures 5 and 6).

Shown are rows of grpo/microscope.jsonl, which `training/microscope.py` writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonwright.report.answers import as_text, clip
from reasonwright.report.figures import count, decimal, signed
from reasonwright.report.read import Row, as_dict, as_list, number, rows

STEPS = 4
"""Steps that are shown: the first, the last, and between them."""
MOST_COMPLETIONS = 8
MOST_TOKENS = 160
"""Of one completion."""
RATIO_STEPS = (0.02, 0.1, 0.35, 1.0)
"""Shades of the ratio, as shares of the way from 1 to the clip bound: the darkest lies beyond it."""
KL_STEPS = (0.001, 0.01, 0.1, 1.0)
"""Shades of the KL, in nats."""
DOUBT_STEPS = (0.1, 0.5, 0.8, 0.95)
"""Shades of 1 - probability."""
LARGEST = 20.0
"""Of a log-ratio, as in the loss."""


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    style: str
    """CSS classes: "u2 k0 d1 x"; u and v the ratio above and below 1, k the KL, d the doubt, x clipped."""
    hint: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One completion."""

    verdict: str
    reward: str
    parts: str
    kl: str
    advantage: str
    sign: str
    facts: str
    """ "88 tokens, ratio 0.93 to 1.21, 3 clipped"."""
    tokens: list[Token]
    left_out: int


@dataclass(frozen=True, slots=True)
class Scope:
    """One step's group."""

    title: str
    prompt: str
    gold: str
    bounds: str
    has_kl: bool
    seen: list[Seen]


def load_scopes(run: Path) -> list[Scope]:
    """The chosen steps, in order."""
    by_step = {number(row.get("step")): row for row in rows(run / "grpo" / "microscope.jsonl")}
    found = [row for row in by_step.values() if as_list(row.get("completions"))]
    last = len(found) - 1
    chosen = sorted({round(i * last / (STEPS - 1)) for i in range(STEPS)}) if found else []
    return [_scope(found[i]) for i in chosen]


def _scope(row: Row) -> Scope:
    low, high = number(row.get("epsilon_low")) or 0.0, number(row.get("epsilon_high")) or 0.0
    completions = [as_dict(c) for c in as_list(row.get("completions"))[:MOST_COMPLETIONS]]
    return Scope(
        title=f"Step {count(number(row.get('step')))}",
        prompt=clip(as_text(row.get("prompt"))),
        gold=clip(as_text(row.get("gold")), 80),
        bounds=f"{decimal(1 - low)} to {decimal(1 + high)}" if low or high else "",
        has_kl=any(_numbers(c.get("reference")) for c in completions),
        seen=[_seen(c, row, low, high) for c in completions],
    )


def _seen(row: Row, group: Row, low: float, high: float) -> Seen:
    pieces = [as_text(piece) for piece in as_list(row.get("pieces"))]
    sampler, after, reference = (_numbers(row.get(name)) for name in ("sampler", "after", "reference"))
    known = len(pieces) == len(sampler) == len(after)
    log_ratios = [_limit(a - s) for a, s in zip(after, sampler, strict=True)] if known else []
    advantage = number(row.get("advantage"))
    clipped = clipped_tokens(
        log_ratios, as_text(group.get("ratio")), as_text(group.get("clip")), advantage or 0, low, high
    )
    kls = [k3(s - r) for s, r in zip(sampler, reference, strict=True)] if len(reference) == len(sampler) else []
    tokens = [
        _token(pieces[i], log_ratios[i], sampler[i], kls[i] if kls else None, clipped[i], low, high)
        for i in range(min(len(log_ratios), MOST_TOKENS))
    ]
    facts = f"{count(number(row.get('tokens')))} tokens"
    if log_ratios:
        facts += f", ratio {math.exp(min(log_ratios)):.3f} to {math.exp(max(log_ratios)):.3f}, {sum(clipped)} clipped"
    parts = [f"{clip(name, 60)} {decimal(number(part))}" for name, part in as_dict(row.get("parts")).items()]
    return Seen(
        verdict="right" if row.get("strict") is True else "form" if row.get("lenient") is True else "wrong",
        reward=decimal(number(row.get("reward"))),
        parts=", ".join(parts),
        kl=decimal(number(row.get("kl"))) if number(row.get("kl")) else "",
        advantage=signed(advantage),
        sign="plus" if (advantage or 0) > 0 else "minus" if (advantage or 0) < 0 else "zero",
        facts=facts,
        tokens=tokens,
        left_out=max(0, len(pieces) - len(tokens)),
    )


def clipped_tokens(
    log_ratios: Sequence[float], level: str, how: str, advantage: float, low: float, high: float
) -> list[bool]:
    """Where a further update on the same rollouts would be clipped: beyond the bound that the advantage pushes towards
    (either bound where the clip is detached). Ratios of whole completions hold for each of their tokens."""
    units = list(log_ratios)
    if units and level in ("sequence", "sequence_mean"):
        total = math.fsum(units) / (len(units) if level == "sequence_mean" else 1)
        units = [_limit(total)] * len(units)
    above, below = (advantage > 0 or how == "detached"), (advantage < 0 or how == "detached")
    ratios = [math.exp(unit) for unit in units]
    return [bool((above and r > 1 + high) or (below and r < 1 - low)) for r in ratios]


def k3(d: float) -> float:
    """e^-d + d - 1 with d = log pi - log pi_ref (DeepSeekMath, eq. 4)."""
    d = _limit(d)
    return math.expm1(-d) + d


def shade(value: float, steps: Sequence[float]) -> int:
    """0 to len(steps): how many of the steps the value reaches."""
    return sum(value >= step for step in steps)


def _token(
    text: str, log_ratio: float, logprob: float, kl: float | None, clipped: bool, low: float, high: float
) -> Token:
    ratio, p = math.exp(log_ratio), math.exp(min(0.0, logprob))
    above = ratio >= 1
    way = (ratio - 1) / (high or 1) if above else (1 - ratio) / (low or 1)
    style = f"{'u' if above else 'v'}{shade(way, RATIO_STEPS)} d{shade(1 - p, DOUBT_STEPS)}"
    hint = f"ratio {ratio:.3f}, p {decimal(p)}"
    if kl is not None:
        style += f" k{shade(kl, KL_STEPS)}"
        hint += f", KL {decimal(kl)}"
    if clipped:
        style, hint = style + " x", hint + ", clipped"
    return Token(clip(text, 60).replace("\n", "⏎\n"), style, hint)


def _limit(log_ratio: float) -> float:
    return min(LARGEST, max(-LARGEST, log_ratio))


def _numbers(value: object) -> list[float]:
    """The list where all of it is numbers, else []."""
    found = [number(x) for x in as_list(value)]
    return [x for x in found if x is not None] if None not in found else []
