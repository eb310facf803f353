"""From figures to findings: what was seen, how bad it is, and the mend in one sentence. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reasonwright.evaluation.intervals import wilson
from reasonwright.models.settings import Compute
from reasonwright.preflight.overlap import N, Overlap
from reasonwright.training.settings import GRPOSettings

TRUNCATED_DOOMED = 0.95
"""At 97 to 99 % a well-known quick start trained for days on rewards of 0."""
TRUNCATED_BAD = 0.1
"""A cut completion counts as wrong, so that a tenth already teaches to be short instead of right."""
NO_END = 0.01
"""Share that ends its turn; below it there is next to nothing to reinforce."""
NO_SIGNAL = 0.97
"""Share of groups whose completions all get the same outcome, so that their gradient is 0; of 32, not one is left."""
LITTLE_SIGNAL = 0.75
"""Three quarters of the sampling for nothing."""
MOSTLY = 0.9
"""Share of right (or wrong) completions that explains why groups are all alike."""
FORM_MISSING = 0.1
"""Right answers in the wrong form, of all completions: SFT teaches form at a fraction of GRPO's cost."""
GAP_BAD = {"float32": 1e-3, "bfloat16": 0.01}
"""Float32 rounding is 1e-6 to 1e-4 at most, bfloat16's 3e-4 to 4e-3 in the mean; more is another computation."""
GAP_DOOMED = {"float32": 0.02, "bfloat16": 0.05}
"""0.01 a token over 100 tokens makes a ratio of 1 into 2.7: gradients are then those of another policy. Rounding to
bfloat16 goes up and down, so that over a completion most of it cancels."""

Level = Literal["good", "bad", "doomed"]


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    """What was looked at: "truncated"."""
    level: Level
    """good; bad: training will be worse than need be, or mean less; doomed: it will learn nothing."""
    seen: str
    """The figures in words."""
    mend: str = ""
    """What to do, one sentence; "" where the finding is good."""


def sample_findings(figures: dict[str, Any], settings: GRPOSettings, compute: Compute = "float32") -> list[Finding]:
    """Findings of `sample_figures` with its "sampler_gap", of a model that computes in `compute`."""
    first = [_truncated(figures, settings), _ends(figures), _signal(figures, settings), _form(figures)]
    return [*first, _gap(figures, compute)]


def _truncated(figures: dict[str, Any], settings: GRPOSettings) -> Finding:
    share = figures["truncated"]
    seen = f"{share:.0%} cut at {settings.max_tokens} tokens, mean length {figures['length']:.0f}"
    if share < TRUNCATED_BAD:
        return Finding("truncated", "good", seen)
    level: Level = "doomed" if share >= TRUNCATED_DOOMED else "bad"
    if figures["ran_on"] > share / 2:
        seen += f"; {figures['ran_on']:.0%} had answered and went on"
        return Finding("truncated", level, seen, "teach the model to stop: more SFT, before GRPO is tried")
    return Finding("truncated", level, seen, f"raise grpo.max_tokens (now {settings.max_tokens})")


def _ends(figures: dict[str, Any]) -> Finding:
    seen = f"{figures['ends']:.0%} end with the end of turn"
    if figures["ends"] >= NO_END:
        return Finding("end of turn", "good", seen)
    mend = "raise grpo.max_tokens, and if that does not help, start from a model whose SFT used this chat template"
    return Finding("end of turn", "doomed", seen, mend)


def _signal(figures: dict[str, Any], settings: GRPOSettings) -> Finding:
    n, per_step = figures["groups"], settings.problems_per_step
    informative = round((1 - figures["zero_variance"]) * n)
    low, high = wilson(informative, n)
    seen = (
        f"{informative} of {n} groups carry signal, so about {informative / n * per_step:.0f} "
        f"({low * per_step:.0f} to {high * per_step:.0f}) of a step's {per_step}; {figures['accuracy']:.0%} are right"
    )
    if figures["zero_variance"] < LITTLE_SIGNAL:
        return Finding("gradient", "good", seen)
    level: Level = "doomed" if figures["zero_variance"] > NO_SIGNAL else "bad"
    return Finding("gradient", level, seen, _signal_mend(figures))


def _signal_mend(figures: dict[str, Any]) -> str:
    if figures["accuracy"] > MOSTLY:
        return "nearly all is right already: give harder problems, or leave GRPO out"
    if figures["accuracy_lenient"] >= figures["accuracy"] + FORM_MISSING:
        return "right answers lack the form: more SFT (rows or epochs) before GRPO"
    if figures["accuracy"] < 1 - MOSTLY:
        return (
            "nearly nothing is right: give easier problems, a better model to start from, or a larger grpo.group_size"
        )
    return "each problem is always right or always wrong: raise grpo.temperature or grpo.group_size"


def _form(figures: dict[str, Any]) -> Finding:
    strict, lenient = figures["accuracy"], figures["accuracy_lenient"]
    seen = f"{strict:.0%} right strictly, {lenient:.0%} in any form"
    if lenient - strict >= FORM_MISSING:
        return Finding("form", "bad", f"{seen}: the form is missing", "more SFT (rows or epochs) teaches the form")
    return Finding("form", "good", f"{seen}: what is wrong is wrong for its maths" if lenient < 1 else seen)


def _gap(figures: dict[str, Any], compute: Compute) -> Finding:
    gap = figures["sampler_gap"]
    by = f"{gap:.1g} in the mean" if compute == "bfloat16" else f"up to {gap:.1g}"
    seen = f"log-probabilities of sampler and trainer differ by {by}"
    if gap <= GAP_BAD[compute]:
        return Finding("sampler = trainer", "good", seen)
    mend = "sampler and trainer compute different models: use float32 and an architecture that tests/sampling covers"
    return Finding("sampler = trainer", "bad" if gap <= GAP_DOOMED[compute] else "doomed", seen, mend)  # NaN is doomed


def template_finding(faults: Sequence[str]) -> Finding:
    if not faults:
        return Finding("chat template", "good", "prompt and completion survive the round trip, and a turn can end")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    mend = "mend chat_template in the model's tokenizer files, or remove it: the built-in one is then used"
    return Finding("chat template", "doomed", faults[0] + more, mend)


def overlap_finding(overlap: Overlap) -> Finding:
    known = [*overlap.exact, *overlap.near]
    seen = (
        f"{len(known)} of {overlap.evaluated:,} evaluation questions are in training ({len(overlap.exact)} exactly, "
        f"{len(overlap.near)} nearly); {overlap.worded_alike:,} share half of their {N}-grams, whatever the numbers"
    )
    if not known:
        return Finding("overlap", "good", seen)
    mend = f"take these questions out of training, or measure on others: {_short(known[0])!r} is the first"
    return Finding("overlap", "bad", seen, mend)


def _short(text: str, limit: int = 80) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
