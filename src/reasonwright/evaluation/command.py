"""`reasonwright evaluate`: any models side by side on one task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from reasonwright.chat import ChatFormat, PromptMode
from reasonwright.display import Bar, console
from reasonwright.evaluation.evaluate import evaluate_model
from reasonwright.models.device import pick_device
from reasonwright.models.load import load_model, load_tokenizer, resolve_model
from reasonwright.runlog import append_jsonl, write_json
from reasonwright.tasks import load_task
from reasonwright.types import UserError


def evaluate_models(
    models: Sequence[str],
    *,
    task: str,
    count: int | None,
    mode: PromptMode,
    shots: int,
    max_tokens: int,
    seed: int,
    skip_bad_rows: bool,
    device: str,
    out: Path | None,
) -> None:
    """Evaluate each model on the same problems and print a table; write figures and answers to `out` where given."""
    for spec in models:
        resolve_model(spec)
    source = load_task(task, skip_bad_rows=skip_bad_rows)
    problems = source.problems("eval", count, seed)
    examples: list[tuple[str, str, str]] = []
    if shots:
        candidates = source.problems("rl", 4 * shots, seed)  # from the training split, never the evaluation's
        examples = [(p.question, p.solution, p.answer) for p in candidates if p.solution][:shots]
        if len(examples) < shots:
            raise UserError(f"task {task} has only {len(examples)} worked solutions for {shots} shots")
    table = Table(title=f"{task}, {mode}, greedy")
    for column in ("model", "strict", "95 % interval", "lenient", "n", "tokens", "cut", "seconds"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for index, spec in enumerate(models):
        model, chat = load_model(spec, device=pick_device(device)), ChatFormat(load_tokenizer(spec))
        with Bar(spec, len(problems)) as bar:
            result, rows = evaluate_model(
                model,
                chat,
                problems,
                name=spec,
                task=task,
                max_tokens=max_tokens,
                mode=mode,
                shots=examples,
                on_done=bar.advance,
            )
        if out:
            file = out / f"{index}-{Path(spec.replace(':', '-')).name}.json"
            file.with_suffix(".jsonl").unlink(missing_ok=True)
            append_jsonl(file.with_suffix(".jsonl"), rows)
            write_json(file, asdict(result))
        lo, hi = result.ci95
        table.add_row(
            spec,
            f"{result.accuracy:.1%}",
            f"{lo:.1%} to {hi:.1%}",
            f"{result.accuracy_lenient:.1%}",
            str(result.n),
            f"{result.mean_tokens:.0f}",
            f"{result.truncated:.1%}",
            f"{result.seconds:.1f}",
        )
    console.print(table)
