"""What a run measures of its models, in RUN/eval/: answers to held-out problems, behaviours, the article's examples.

What is there is not measured again. `load` gives the model and the chat format of a stage; `shots` the worked examples
that the base sees before it is asked to think step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reasonwright.cards import model_card
from reasonwright.chat import ChatFormat, PromptMode
from reasonwright.display import Bar, console
from reasonwright.evaluation.evaluate import Shots, evaluate_model
from reasonwright.evaluation.examples import answer_examples
from reasonwright.evaluation.thoughts import BEHAVIOUR_STAGES, measure_stage
from reasonwright.recipe import Recipe
from reasonwright.runfolder import stage_done, stage_folder
from reasonwright.runlog import append_jsonl, read_json, read_jsonl, write_json
from reasonwright.summary import MODELS
from reasonwright.tasks import load_task
from reasonwright.types import EvalResult

Load = Callable[[str], tuple[Any, ChatFormat]]


def evaluate_stage(recipe: Recipe, folder: Path, stage: str, load: Load, shots: Callable[[], Shots]) -> None:
    """A stage's greedy answers to the held-out problems, and to those of further tasks (eval/STAGE.TASK.json)."""
    _evaluate(recipe, folder, stage, recipe.task, stage, load, shots)
    for task in recipe.evaluate.also if stage in MODELS or stage == "base_cot" else ():
        _evaluate(recipe, folder, stage, task, f"{stage}.{task.partition(':')[0]}", load, shots)


def _evaluate(
    recipe: Recipe, folder: Path, stage: str, task: str, name: str, load: Load, shots: Callable[[], Shots]
) -> None:
    file = folder / "eval" / f"{name}.json"
    if file.exists():
        return
    settings = recipe.evaluate
    source = load_task(task, skip_bad_rows=recipe.skip_bad_rows)
    seed = recipe.seed if settings.seed is None else settings.seed
    count = settings.problems if task == recipe.task else settings.also_problems or settings.problems
    problems = source.problems("eval", count, seed)
    model, chat = load(stage)
    mode: PromptMode = {"base_direct": "direct", "base_cot": "cot"}.get(stage, "chat")  # type: ignore[assignment]
    with Bar(f"evaluate {name}", len(problems)) as bar:
        result, rows = evaluate_model(
            model,
            chat,
            problems,
            name=stage,
            task=task,
            max_tokens=settings.max_tokens,
            mode=mode,
            shots=shots() if mode == "cot" else (),
            on_done=bar.advance,
        )
    file.with_suffix(".jsonl").unlink(missing_ok=True)
    append_jsonl(file.with_suffix(".jsonl"), rows)
    write_json(file, asdict(result))
    if name in MODELS:
        _write_card(recipe, stage_folder(folder, stage), stage, result)
    lo, hi = result.ci95
    console.print(
        f"{name}: {result.accuracy:.1%} strict [{lo:.1%}, {hi:.1%}], {result.accuracy_lenient:.1%} lenient, "
        f"n = {result.n}, {result.mean_tokens:.0f} tokens an answer",
        markup=False,
    )


def _write_card(recipe: Recipe, folder: Path, stage: str, result: EvalResult) -> None:
    """The model's card anew, with its accuracy."""
    done = stage_done(folder)
    if done:
        card = model_card(stage, done["from"], recipe, done["metrics"], result)
        (folder / "README.md").write_text(card, encoding="utf-8")


def measure_behaviours(recipe: Recipe, folder: Path, load: Load, shots: Callable[[], Shots]) -> dict[str, Any]:
    """What the evaluated stages' thoughts do, and whether they matter: eval/behaviours.json, and what is in it."""
    file = folder / "eval" / "behaviours.json"
    found: dict[str, Any] = read_json(file) if file.exists() else {}
    base_rows = read_jsonl(folder / "eval" / "base_cot.jsonl")
    with Bar("behaviours", len(BEHAVIOUR_STAGES), len(found)) as bar:
        for stage in BEHAVIOUR_STAGES:
            rows = read_jsonl(folder / "eval" / f"{stage}.jsonl")
            if stage in found or not rows:
                continue
            model, chat = load(stage)
            is_base = stage == "base_cot"
            found[stage] = measure_stage(
                model,
                chat,
                rows,
                recipe.evaluate,
                base_rows=None if is_base else base_rows,
                mode="cot" if is_base else "chat",
                shots=shots() if is_base else (),
            )
            write_json(file, found)
            bar.advance()
    return found


def write_examples(recipe: Recipe, folder: Path, load: Load) -> None:
    """The article's own examples, answered by all four models: eval/examples.json."""
    file = folder / "eval" / "examples.json"
    if not file.exists():
        stages = {"base": "base_direct", "sft": "sft", "grpo": "grpo", "student": "student"}
        models = ((name, *load(stage)) for name, stage in stages.items())
        write_json(file, answer_examples(models, recipe.evaluate.max_tokens))
