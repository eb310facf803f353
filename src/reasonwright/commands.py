"""What each command does. Heavy imports happen inside, after everything that can be refused was refused."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reasonwright.process import prepare_process
from reasonwright.types import UserError

if TYPE_CHECKING:
    from reasonwright.models.settings import LoadOptions
    from reasonwright.pipeline import Pipeline

DIFFERS = 3
"""Exit status of a run that was not reproduced."""


def _pipeline(arguments: argparse.Namespace, work, all_stages: bool = False, opens: bool = True) -> None:
    """Read the recipe, refuse what cannot work, take the folder, do the work."""
    from reasonwright.recipe import load_recipe

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    folder = arguments.out or Path("runs") / recipe.name
    _prepare_libraries()
    from reasonwright.pipeline import Pipeline
    from reasonwright.runfolder import locked, open_run
    from reasonwright.runlog import writing
    from reasonwright.stopping import signals_handled

    pipeline = Pipeline(recipe, folder, force=getattr(arguments, "force", False))
    pipeline.check(getattr(arguments, "start", None), all_stages)
    with signals_handled(), locked(folder), writing(folder):
        if opens:
            open_run(folder, recipe, arguments.accept_changes)
        work(pipeline)


def run(arguments: argparse.Namespace) -> None:
    def work(pipeline: Pipeline) -> None:
        from reasonwright.report import build_report

        pipeline.run()
        print(f"report: {build_report(pipeline.folder)}")

    _pipeline(arguments, work, all_stages=True)


def check(arguments: argparse.Namespace) -> None:
    """Opens no run, so that the recipe can still be mended."""
    _pipeline(arguments, lambda pipeline: pipeline.preflight(arguments.start), opens=False)


def plan(arguments: argparse.Namespace) -> None:
    from reasonwright.recipe import load_recipe

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    _prepare_libraries()
    from reasonwright.planner import command

    command.plan(recipe)


def sft(arguments: argparse.Namespace) -> None:
    _pipeline(arguments, lambda pipeline: pipeline.sft())


def grpo(arguments: argparse.Namespace) -> None:
    _pipeline(arguments, lambda pipeline: pipeline.grpo(arguments.start))


def sample(arguments: argparse.Namespace) -> None:
    _pipeline(arguments, lambda pipeline: pipeline.rejection(arguments.start))


def distill(arguments: argparse.Namespace) -> None:
    _pipeline(arguments, lambda pipeline: pipeline.distill())


def ablate(arguments: argparse.Namespace) -> None:
    from reasonwright.recipe import load_recipe

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    folder = arguments.out or Path("runs") / recipe.name
    _prepare_libraries()
    from reasonwright.ablate import Ablation
    from reasonwright.runfolder import locked

    arms = arguments.arms.split(",") if arguments.arms else None
    ablation = Ablation(recipe, folder, arms, arguments.seeds)
    ablation.check()
    with locked(folder):
        ablation.run()


def pretrain(arguments: argparse.Namespace) -> None:
    _prepare_libraries()
    from reasonwright.pretraining import pretrain_embedded
    from reasonwright.runfolder import locked
    from reasonwright.runlog import writing
    from reasonwright.stopping import signals_handled

    with signals_handled(), locked(arguments.out), writing(arguments.out):
        pretrain_embedded(
            arguments.shape,
            arguments.steps,
            arguments.seed,
            arguments.out,
            rate=arguments.rate,
            start=arguments.start,
            part=arguments.part,
        )


def evaluate(arguments: argparse.Namespace) -> None:
    _prepare_libraries()
    from reasonwright.evaluation.command import evaluate_models
    from reasonwright.evaluation.evaluate import Asking

    asking = Asking(arguments.max_tokens, arguments.mode)
    sampling = None
    if arguments.samples:
        sampling = Asking(
            arguments.max_tokens,
            arguments.mode,
            samples=arguments.samples,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            seed=arguments.seed,
        )
    evaluate_models(
        arguments.models,
        asking,
        sampling,
        task=arguments.task,
        count=arguments.problems,
        shots=arguments.shots,
        seed=arguments.seed,
        skip_bad_rows=arguments.skip_bad_rows,
        options=_load_options(arguments),
        fresh=arguments.fresh,
        via_lm_eval=arguments.via_lm_eval,
        out=arguments.out,
    )


def reproduce(arguments: argparse.Namespace) -> None:
    from reasonwright.reproduce import compare_runs, places, say_comparison

    finished, again = places(arguments.run, arguments.out)
    recipe = finished / "recipe.yaml"
    run(argparse.Namespace(recipe=recipe, overrides=[], out=again, force=True, accept_changes=False))
    if not say_comparison(compare_runs(finished, again)):
        sys.exit(DIFFERS)


def behaviours(arguments: argparse.Namespace) -> None:
    from reasonwright.recipe import load_recipe

    recipe = load_recipe(arguments.run / "recipe.yaml")
    _prepare_libraries()
    from reasonwright.display import console
    from reasonwright.evaluation.thoughts import behaviours_table
    from reasonwright.pipeline import Pipeline
    from reasonwright.runfolder import locked

    with locked(arguments.run):
        (arguments.run / "eval" / "behaviours.json").unlink(missing_ok=True)
        figures = Pipeline(recipe, arguments.run).behaviours()
    if not figures:
        raise UserError(f"{arguments.run}/eval holds no answers yet: evaluate its models with `reasonwright run` first")
    console.print(behaviours_table(figures))


def report(arguments: argparse.Namespace) -> None:
    from reasonwright.report import build_report
    from reasonwright.report.watch import SECONDS, watch_report

    page = build_report(arguments.run, refresh=SECONDS if arguments.watch else None)
    print(page, flush=True)
    if arguments.open:
        _show(page)
    if arguments.watch:
        watch_report(arguments.run)


def compare(arguments: argparse.Namespace) -> None:
    from reasonwright.report import compare_runs

    page = compare_runs(arguments.runs, arguments.out)
    print(page)
    if arguments.open:
        _show(page)


def _show(page: Path) -> None:
    import webbrowser

    webbrowser.open(page.resolve().as_uri())


def chat(arguments: argparse.Namespace) -> None:
    _prepare_libraries()
    from reasonwright.serve.terminal import chat_loop

    chat_loop(
        arguments.model,
        max_tokens=arguments.max_tokens,
        temperature=arguments.temperature,
        seed=arguments.seed,
        mode=arguments.mode,
        options=_load_options(arguments),
    )


def _load_options(arguments: argparse.Namespace) -> LoadOptions:
    from reasonwright.models.settings import LoadOptions

    return LoadOptions(arguments.device, arguments.compute, arguments.trust_remote_code)


def tasks(_: argparse.Namespace) -> None:
    from reasonwright.tasks.show import show_tasks

    show_tasks()


def _prepare_libraries() -> None:
    """Environment that libraries read when they are imported; our own lines only: no progress bars for local files."""
    prepare_process()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
