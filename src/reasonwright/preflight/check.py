"""The pre-flight as a whole: findings gathered, printed, written, and a doomed run refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from reasonwright.chat import ChatFormat
from reasonwright.display import console
from reasonwright.preflight.findings import Finding, overlap_finding, sample_findings, template_finding
from reasonwright.preflight.overlap import find_overlap
from reasonwright.preflight.sample import sample_figures, sample_groups, sampler_gap
from reasonwright.preflight.template import template_faults
from reasonwright.provenance import problems_used
from reasonwright.recipe import Recipe
from reasonwright.runlog import write_json
from reasonwright.training.rollout import Scorer, step_seed
from reasonwright.types import Problem, UserError

TEMPLATE_PROBLEMS = 32
COLOURS = {"good": "green", "bad": "yellow", "doomed": "red"}


@dataclass
class Preflight:
    """What was found, of which model."""

    model: str
    findings: list[Finding]
    figures: dict[str, Any] = field(default_factory=dict)
    before_sft: bool = False
    """Of a base that SFT will still change, so that its sample dooms nothing."""

    @property
    def doomed(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "doomed"]

    def refuse(self, force: bool, where: str = "") -> None:
        """Raise UserError with the first reason why GRPO is doomed, if there is one and nobody forces it."""
        if self.doomed and not force:
            first = self.doomed[0]
            raise UserError(
                f"doomed, so not started: {first.seen}; mend: {first.mend}{where}; or --force starts it all the same"
            )

    def say(self) -> None:
        """Print all findings with their mends."""
        title = f"Pre-flight of GRPO from {self.model}{', which SFT will still change' if self.before_sft else ''}"
        table = Table(title=escape(title), title_justify="left", show_header=False)
        for finding in self.findings:
            seen = escape(finding.seen) + (f"\n[bold]mend:[/] {escape(finding.mend)}" if finding.mend else "")
            table.add_row(finding.check, f"[{COLOURS[finding.level]}]{finding.level}[/]", seen)
        if "pass_rates" in self.figures:
            rates = ", ".join(f"{bucket}: {count}" for bucket, count in self.figures["pass_rates"].items() if count)
            table.add_row("groups by pass rate", "", rates)
        console.print(table)

    def say_bad(self) -> None:
        """Print what is not good, a line each."""
        for finding in self.findings:
            if finding.level == "bad":
                console.print(f"warning: {finding.seen}; mend: {finding.mend}", markup=False)

    def conclude(self, folder: Path, force: bool) -> None:
        """Say all, keep it in the run folder's check.json unless that tells of a GRPO that has begun, and refuse."""
        self.say()
        if not (folder / "grpo" / "metrics.jsonl").exists():
            verdict = {"doomed": bool(self.doomed), "forced": force and bool(self.doomed)}
            write_json(folder / "check.json", asdict(self) | verdict)
        self.refuse(force, " (with --accept-changes in this folder)")


def check_data(recipe: Recipe, model: str, chat: ChatFormat, vocabulary: int | None = None) -> Preflight:
    """What can be checked without weights: the template's round trip, and training against evaluation.

    `vocabulary` as in `template_faults`.
    """
    used = problems_used(recipe)
    training = [p for use in ("sft", "grpo", "rejection") for p in used.get(use, [])]
    evaluation = [p for use, problems in used.items() if use.startswith("evaluate") for p in problems]
    found = Preflight(model, [template_finding(template_faults(chat, training[:TEMPLATE_PROBLEMS], vocabulary))])
    if training and evaluation:
        overlap = find_overlap([p.question for p in training], [p.question for p in evaluation])
        found.findings.append(overlap_finding(overlap))
        found.figures["overlap"] = asdict(overlap)
    return found


def check_policy(
    recipe: Recipe,
    start: str,
    policy: Any,
    chat: ChatFormat,
    problems: Sequence[Problem],
    score: Scorer,
    *,
    before_sft: bool = False,
) -> Preflight:
    """All checks of a GRPO that starts from `policy`, with a sample of what it would meet."""
    found = check_data(recipe, start, chat, policy.get_input_embeddings().num_embeddings)
    groups = sample_groups(policy, chat, problems, score, recipe.grpo, step_seed(recipe.seed, "check"))
    figures = sample_figures(groups, chat.stop_ids) | {"sampler_gap": sampler_gap(policy, groups, recipe.grpo)}
    findings = sample_findings(figures, recipe.grpo, recipe.compute)
    if before_sft:
        findings = [replace(f, level="bad") if f.level == "doomed" else f for f in findings]
    if not math.isfinite(figures["sampler_gap"]):
        figures["sampler_gap"] = None  # JSON has no word for it
    found.findings += findings
    found.figures |= figures
    found.before_sft = before_sft
    return found
