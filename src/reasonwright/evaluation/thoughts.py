"""What a stage's thoughts do and whether they matter: an entry of `eval/behaviours.json`, and the table of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from reasonwright.chat import ChatFormat, PromptMode
from reasonwright.evaluation.behaviours import Rows, measure, read_answers
from reasonwright.evaluation.causal import causal_check
from reasonwright.evaluation.settings import EvaluateSettings

BEHAVIOUR_STAGES = ("base_cot", "sft", "grpo", "student")


def measure_stage(
    model: Any,
    chat: ChatFormat,
    rows: Rows,
    settings: EvaluateSettings,
    *,
    base_rows: Rows | None,
    mode: PromptMode,
    shots: Sequence[tuple[str, str, str]],
) -> dict[str, Any]:
    """The figures of `evaluation/behaviours.py` for the model that gave these answers, `causal` among them.

    `base_rows` are the base model's answers to the same problems; None where this is the base.
    """
    answers = read_answers(rows, lambda text: len(chat.completion_ids(text)) - 1)
    figures = measure(answers, read_answers(base_rows, len) if base_rows else None)
    count = settings.causal_problems
    causal = causal_check(model, chat, rows, count=count, max_tokens=settings.max_tokens, mode=mode, shots=shots)
    return figures | {"causal": causal}


def behaviours_table(stages: Mapping[str, Any]) -> Table:
    """The figures that one looks at first."""
    table = Table(title="What the thoughts do", title_justify="left")
    for column in ("model", "checks", "takes back", "says wait", "steps right", "tokens a level", "step followed", "n"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for stage, figures in stages.items():
        causal = figures["causal"] and figures["causal"]["last_step"]
        table.add_row(
            stage,
            f"{figures['verification']['rate']:.1%}",
            f"{figures['backtracking']['rate']:.1%}",
            f"{figures['backtracking']['keyword_rate']:.1%}",
            _or_dash(figures["steps"]["valid_share"], "{:.1%}"),
            _or_dash(figures["thinking"]["slope_tokens"], "{:+.1f}"),
            _or_dash(causal and causal["followed"], "{:.0%}"),
            str(figures["n"]),
        )
    return table


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
