"""Model cards: what a folder is, made from what, and how well it does."""

from __future__ import annotations

from typing import Any

from reasonwright.recipe import Recipe
from reasonwright.types import EvalResult

WHAT = {
    "sft": "supervised fine-tuning on chains of thought",
    "grpo": "reinforcement learning with verifiable rewards (GRPO)",
    "student": "distillation: fine-tuning on a teacher's solutions that were checked to be right",
    "student_sft": "fine-tuning on the SFT data, the control for the distilled student",
}


def model_card(
    stage: str, start: str, recipe: Recipe, metrics: dict[str, Any], result: EvalResult | None = None
) -> str:
    """The README.md of a stage's model folder."""
    lines = [
        "---",
        "library_name: transformers",
        "tags: [reasonwright, reasoning]",
        "---",
        "",
        f"# {recipe.name}/{stage}",
        "",
        f"Made by {WHAT[stage]}.",
        "",
        f"- **Base model:** `{start}`",
        f"- **Data:** task `{recipe.task}`, seed {recipe.seed}",
        "- **Format:** `<think>` steps `</think>`, then `The answer is N.` The chat template is in the folder.",
        "",
        "## Metrics",
        "",
    ]
    if result is not None:
        lo, hi = result.ci95
        lines.append(
            f"- Held-out accuracy on `{result.task}`, greedy, n = {result.n}: {result.accuracy:.1%} strict "
            f"(95 % interval {lo:.1%} to {hi:.1%}), {result.accuracy_lenient:.1%} lenient"
        )
    lines += [f"- Last training step, {name}: {metrics[name]:.4g}" for name in ("loss", "reward") if name in metrics]
    return "\n".join(lines) + "\n"
