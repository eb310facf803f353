"""`reasonwright evaluate`: any models side by side on one task."""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from reasonwright.display import Bar, console
from reasonwright.evaluation.cache import Answers, cache_folder, key_of
from reasonwright.evaluation.compare import compare_greedy, compare_values
from reasonwright.evaluation.evaluate import Asking, Row, answer, summarise
from reasonwright.evaluation.sampled import summarise_sampled
from reasonwright.evaluation.shots import worked_examples
from reasonwright.evaluation.tables import comparison_table, greedy_table, group_table, sampled_table
from reasonwright.models.resolve import model_folder
from reasonwright.models.settings import LoadOptions
from reasonwright.runlog import write_json, write_jsonl
from reasonwright.tasks import load_task
from reasonwright.types import EvalResult, Problem, UserError


@dataclass
class Measured:
    """One model's answers and figures."""

    name: str
    result: EvalResult
    rows: list[Row]
    """[P] greedy."""
    sampled: dict[str, Any] = field(default_factory=dict)
    sampled_rows: list[Row] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    """[P] of each measure of the sampled answers."""


def evaluate_models(
    models: Sequence[str],
    asking: Asking,
    sampling: Asking | None,
    *,
    task: str,
    count: int | None,
    shots: int,
    seed: int,
    skip_bad_rows: bool,
    options: LoadOptions,
    fresh: bool,
    via_lm_eval: bool,
    out: Path | None,
) -> None:
    """Evaluate each model on the same problems and print tables; write figures and answers to `out` where given.

    `asking` is greedy; `sampling`, where given, asks for several answers more. Both get `shots` worked examples.
    `count` and `seed` choose the problems. Answers are kept in `cache_folder()` and not asked for again unless `fresh`.
    """
    folders = {spec: model_folder(spec) for spec in models}
    source = load_task(task, skip_bad_rows=skip_bad_rows)
    problems = source.problems("eval", count, seed)
    if not problems:
        raise UserError(f"task {task} has no problems to evaluate on")
    examples = worked_examples(source, shots, seed)
    if len(examples) < shots:
        raise UserError(f"task {task} has only {len(examples)} worked solutions for {shots} shots")
    asking, sampling = replace(asking, shots=examples), sampling and replace(sampling, shots=examples)
    if via_lm_eval:
        from reasonwright.evaluation.lm_eval import check_possible

        check_possible(problems, asking)
    measured = [
        measure(spec, folders[spec], problems, asking, sampling, task=task, options=options, fresh=fresh)
        for spec in models
    ]
    pairs = [compare(one, other) for one, other in itertools.combinations(measured, 2)]
    show(measured, pairs, task, asking.mode)
    if out:
        write(measured, pairs, out)
    if via_lm_eval:
        from reasonwright.evaluation.lm_eval import cross_check

        for index, m in enumerate(measured):
            place = file_of(out, index, m.name)
            cross_check(m.name, folders[m.name], problems, m.rows, asking, options=options, out=place)


def measure(
    spec: str,
    folder: Path,
    problems: Sequence[Problem],
    asking: Asking,
    sampling: Asking | None,
    *,
    task: str,
    options: LoadOptions,
    fresh: bool,
) -> Measured:
    """One model's greedy answers, and its sampled ones where `sampling` says how."""
    load = functools.cache(lambda: _open(spec, options))

    def place(asking: Asking) -> Path:
        return cache_folder() / "evaluations" / key_of(folder, problems, asking, options)

    rows, seconds = answers(spec, place(asking), problems, asking, load, fresh)
    result = summarise(rows, name=spec, task=task, mode=asking.mode, seconds=seconds)
    measured = Measured(spec, result, rows)
    if sampling:
        measured.sampled_rows, seconds = answers(
            f"{spec}, {sampling.samples} samples", place(sampling), problems, sampling, load, fresh
        )
        figures, measured.values = summarise_sampled(problems, measured.sampled_rows, sampling.samples, seconds)
        measured.sampled = figures | {"temperature": sampling.temperature, "top_p": sampling.top_p}
    return measured


def answers(
    title: str, place: Path, problems: Sequence[Problem], asking: Asking, load: Any, fresh: bool
) -> tuple[list[Row], float]:
    """The rows and the seconds they took: those kept in `place` where there are any, in the end kept all."""
    if fresh:
        shutil.rmtree(place, ignore_errors=True)
    kept = Answers(place, problems, asking)
    missing, total = kept.missing_problems(), len(problems)
    if missing < total:
        console.print(f"{title}: {total - missing}/{total} from {place}", markup=False)
    if missing:
        model, chat = load()
        with Bar(title, total * asking.samples, (total - missing) * asking.samples) as bar:
            kept.add(lambda part: answer(model, chat, part, asking, bar.advance))
    return kept.read()


def _open(spec: str, options: LoadOptions) -> Any:
    from reasonwright.models.open import open_model  # torch is not needed where all answers are kept

    return open_model(spec, options)


def compare(one: Measured, other: Measured) -> dict[str, Any]:
    """Two models on the same problems, see `evaluation/compare.py`."""
    pair = {"first": one.name, "second": other.name, "greedy": compare_greedy(one.rows, other.rows)}
    return pair | ({"sampled": compare_values(one.values, other.values)} if one.values else {})


def show(measured: Sequence[Measured], pairs: Sequence[dict[str, Any]], task: str, mode: str) -> None:
    names = [f"{i} {m.name}" if len(measured) > 1 else m.name for i, m in enumerate(measured, 1)]
    results = {name: m.result for name, m in zip(names, measured, strict=True)}
    console.print(greedy_table(results, f"{task}, {mode}, greedy"))
    if measured[0].sampled:
        sampled = {name: m.sampled for name, m in zip(names, measured, strict=True)}
        console.print(sampled_table(sampled, f"{task}, {mode}, temperature {measured[0].sampled['temperature']:g}"))
    form = "strict" if mode == "chat" else "lenient"  # the other prompts do not ask for the form
    for which, what in (("by_difficulty", "difficulty"), ("by_length", "tokens of the thought")):
        if any(getattr(result, which) for result in results.values()):
            console.print(group_table(results, which, form, f"Greedy, {form}, by {what}, in %"))
    if pairs:
        numbers = itertools.combinations(range(1, len(measured) + 1), 2)
        console.print(comparison_table({f"{i} → {j}": p for (i, j), p in zip(numbers, pairs, strict=True)}))


def write(measured: Sequence[Measured], pairs: Sequence[dict[str, Any]], out: Path) -> None:
    """INDEX-MODEL.json with the figures, .jsonl with the greedy answers, .sampled.jsonl; comparisons.json."""
    for index, m in enumerate(measured):
        file = file_of(out, index, m.name)
        assert file is not None
        write_jsonl(file.with_suffix(".jsonl"), m.rows)
        if m.sampled:
            write_jsonl(file.with_suffix(".sampled.jsonl"), m.sampled_rows)
        write_json(file, asdict(m.result) | {"sampled": m.sampled or None})
    if pairs:
        write_json(out / "comparisons.json", pairs)


def file_of(out: Path | None, index: int, spec: str) -> Path | None:
    return out and out / f"{index}-{Path(spec.replace(':', '-')).name}.json"
