"""The stages in order, each reading the folder before it. Stopping anywhere and running again goes on from there.

base -> sft -> grpo -> rejection sampling -> distil into the student -> evaluate all -> report
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from reasonwright import stopping
from reasonwright.cards import model_card
from reasonwright.chat import ChatFormat
from reasonwright.display import console
from reasonwright.distillation.rejection import kept_problems, rejection_sample
from reasonwright.evaluation.evaluate import evaluate_model
from reasonwright.evaluation.shots import worked_examples
from reasonwright.evaluation.thoughts import behaviours_table
from reasonwright.measurements import evaluate_stage, measure_behaviours, write_examples
from reasonwright.models.device import pick_device
from reasonwright.models.layers import require_compiler
from reasonwright.models.load import load_tokenizer, resolve_model, save_model
from reasonwright.models.lora import add_adapter, merged, require_peft
from reasonwright.models.open import open_model
from reasonwright.models.precision import require_compute
from reasonwright.models.resolve import base_of, is_model_folder
from reasonwright.models.settings import LoadOptions, LoraSettings
from reasonwright.planner.memory import check_fits, free_memory
from reasonwright.planner.stages import works_of
from reasonwright.preflight.check import check_data, check_policy
from reasonwright.recipe import Recipe
from reasonwright.runfolder import stage_done, stage_folder
from reasonwright.runlog import read_json, read_jsonl, require_room, sync, write_json, writing
from reasonwright.sampling.native import NativeSampler
from reasonwright.summary import paired_table, results_table, summarise
from reasonwright.tasks import is_endless, load_task
from reasonwright.tasks.base import Split
from reasonwright.track import require_tracker, tracked
from reasonwright.training.checkpoint import keep_only_best
from reasonwright.training.grpo import train_grpo
from reasonwright.training.rollout import step_seed
from reasonwright.training.settings import SFTSettings
from reasonwright.training.sft import train_sft
from reasonwright.types import Problem, UserError
from reasonwright.verify.rewards import RewardScorer


class Pipeline:
    """One run. Each method is a stage: it does nothing where its folder says that it is done."""

    def __init__(self, recipe: Recipe, folder: Path, force: bool = False):
        self.recipe, self.folder, self.force = recipe, folder, force
        self.device = pick_device(recipe.device)

    def check(self, start: str | None = None, all_stages: bool = False) -> None:
        """Refuse what cannot work before anything is written or trained, not after hours of work."""
        recipe = self.recipe
        require_tracker(recipe.track)
        require_compute(recipe.compute, self.device)
        for model in (recipe.model, recipe.student, start):
            if model is not None:
                resolve_model(model)
        for task in (recipe.task, *recipe.evaluate.also):
            load_task(task, skip_bad_rows=recipe.skip_bad_rows)
        self._scorer()
        trainings = (recipe.sft, recipe.grpo, recipe.distill)
        if any(settings.lora for settings in trainings):
            require_peft()
        if any(settings.optim.torch_compile for settings in trainings):
            require_compiler()
        counts = {
            "sft.rows": recipe.sft.rows,
            "grpo.problems": recipe.grpo.problems,
            "rejection.problems": recipe.rejection.problems,
            "evaluate.problems": recipe.evaluate.problems,
        }
        missing = [key for key, count in counts.items() if count is None]
        if all_stages and missing and is_endless(recipe.task):
            raise UserError(f"{missing[0]} is null, but task {recipe.task} has no end: give a number")
        if all_stages:
            check_fits(works_of(recipe), self.device, free_memory(self.device))
        if all_stages and not stage_done(self.folder / "sft"):
            tokenizer = load_tokenizer(recipe.model, trust_remote_code=recipe.trust_remote_code)
            found = check_data(recipe, recipe.model, ChatFormat(tokenizer))
            found.say_bad()
            found.refuse(self.force)

    def run(self) -> dict[str, Any]:
        """All stages, then summary.json and the table; the summary."""
        self.evaluate("base_direct", "base_cot")
        self.sft()
        self.evaluate("sft")
        self.grpo()
        self.evaluate("grpo")
        self.rejection()
        self.distill()
        self.evaluate("student_sft", "student")
        console.print(behaviours_table(self.behaviours()))
        self.examples()
        summary = summarise(self.folder, self.recipe.seed)
        console.print(results_table(summary))
        if summary["paired"]:
            console.print(paired_table(summary))
        return summary

    def preflight(self, model: str | None = None) -> None:
        """`reasonwright check`: GRPO from `model`, from sft/, or from the base where that is not trained yet."""
        before_sft = model is None and not stage_done(self.folder / "sft")
        start = model or (self.recipe.model if before_sft else self.stage_model("sft"))
        self._preflight(start, *self._load(start), before_sft)

    # -- the stages ------------------------------------------------------------------------------------------------

    def sft(self) -> None:
        """Stage 1: base -> sft/."""
        self._train_sft("sft", self.recipe.model, self.sft_rows, self.recipe.sft)

    def grpo(self, model: str | None = None) -> None:
        """Stage 2: sft/ -> grpo/."""
        settings = self.recipe.grpo
        folder = self.folder / "grpo"
        if self._done(folder, model):
            return
        start = model or self.stage_model("sft")
        policy, chat = self._load_to_train(start, settings.lora, "grpo")
        score = self._scorer()
        problems, held_out = self._grpo_problems()
        if not (folder / "metrics.jsonl").exists():
            self._preflight(start, policy, chat)

        def evaluate() -> float:
            result, _ = evaluate_model(
                policy, chat, held_out, name="grpo", task=self.recipe.task, max_tokens=settings.max_tokens
            )
            return result.accuracy

        self._stage(
            folder,
            start,
            lambda: train_grpo(
                policy,
                chat,
                problems,
                score,
                settings,
                seed=self._seed("grpo"),
                folder=folder,
                evaluate=evaluate,
                stop=stopping.asked,
            ),
            lambda metrics: self._save(folder, policy, chat, "grpo", start, metrics, settings.lora),
        )

    def rejection(self, model: str | None = None) -> None:
        """Stage 3, first half: grpo/ -> rejection/kept.jsonl."""
        settings = self.recipe.rejection
        folder = self.folder / "rejection"
        if self._done(folder, model):
            return
        start = model or self.stage_model("grpo")
        policy, chat = self._load(start)
        problems = self.problems("rl", settings.problems)
        sampler = NativeSampler(policy, chat)

        def work() -> dict[str, Any]:
            kept = rejection_sample(
                sampler, chat, problems, settings, seed=self._seed("rejection"), folder=folder, stop=stopping.asked
            )
            return {"kept": len(kept)}

        self._stage(folder, start, work)

    def distill(self) -> None:
        """Stage 3, second half: the student on the kept solutions, and for comparison on the SFT data."""
        kept = kept_problems(read_jsonl(self.folder / "rejection" / "kept.jsonl"))
        if not kept:
            raise UserError(f"{self.folder}/rejection/kept.jsonl is missing or empty: run `reasonwright sample` first")
        settings, student = self.recipe.distill, self.recipe.student
        self._train_sft("student_sft", student, lambda: self.sft_rows()[: settings.rows], settings)
        self._train_sft("student", student, lambda: kept[: settings.rows], settings)

    def evaluate(self, *stages: str) -> None:
        """Greedy answers of the stages' models to the same held-out problems: eval/STAGE.json and .jsonl."""
        for stage in stages:
            evaluate_stage(self.recipe, self.folder, stage, self._load_stage, self._shots)

    def behaviours(self) -> dict[str, Any]:
        """What the evaluated stages' thoughts do, and whether they matter: eval/behaviours.json, and what is in it."""
        return measure_behaviours(self.recipe, self.folder, self._load_stage, self._shots)

    def examples(self) -> None:
        """The article's own examples, answered by all four models: eval/examples.json."""
        write_examples(self.recipe, self.folder, self._load_stage)

    # -- what the stages share ---------------------------------------------------------------------------------------

    @cached_property
    def task(self) -> Any:
        return load_task(self.recipe.task, skip_bad_rows=self.recipe.skip_bad_rows)

    def problems(self, split: Split, count: int | None) -> list[Problem]:
        return self.task.problems(split, count, self.recipe.seed)

    def sft_rows(self) -> list[Problem]:
        return self.problems("sft", self.recipe.sft.rows)

    def stage_model(self, stage: str) -> str:
        """The model that a stage left, or the base. Raises UserError where the stage has not been run."""
        if stage.startswith("base"):
            return self.recipe.model
        folder = stage_folder(self.folder, stage)
        if not is_model_folder(folder):
            raise UserError(f"{folder} holds no model yet: run the {stage} stage first, or name a model with --from")
        return str(folder)

    def _done(self, folder: Path, model: str | None) -> bool:
        """Whether a stage is done; one that was done from another model than the one asked for is not done again."""
        done = stage_done(folder)
        if done and model and done["from"] != model:
            raise UserError(f"{folder} was made from {done['from']}: choose another folder with --out, or remove it")
        return done is not None

    def _seed(self, stage: str) -> int:
        return step_seed(self.recipe.seed, stage)

    def _load(self, spec: str) -> tuple[Any, ChatFormat]:
        recipe = self.recipe
        return open_model(spec, LoadOptions(self.device, recipe.compute, recipe.trust_remote_code))

    def _load_stage(self, stage: str) -> tuple[Any, ChatFormat]:
        return self._load(self.stage_model(stage))

    def _scorer(self) -> RewardScorer:
        return RewardScorer(**self.recipe.grpo.reward.model_dump(), max_tokens=self.recipe.grpo.max_tokens)

    def _grpo_problems(self) -> tuple[list[Problem], list[Problem]]:
        settings = self.recipe.grpo
        return hold_out(self.problems("rl", settings.problems), settings.eval_problems if settings.eval_every else 0)

    def _preflight(self, start: str, policy: Any, chat: ChatFormat, before_sft: bool = False) -> None:
        problems, score = self._grpo_problems()[0], self._scorer()
        found = check_policy(self.recipe, start, policy, chat, problems, score, before_sft=before_sft)
        found.conclude(self.folder, self.force)

    def _load_to_train(self, spec: str, lora: LoraSettings | None, stage: str) -> tuple[Any, ChatFormat]:
        if lora and lora.save == "adapter" and base_of(Path(resolve_model(spec))):
            raise UserError(
                f"{spec} is an adapter itself, and one adapter cannot lie on another: set lora.save to merged"
            )
        model, chat = self._load(spec)
        return add_adapter(model, lora, self._seed(f"{stage}/lora")) if lora else model, chat

    def _train_sft(self, stage: str, start: str, rows: Callable[[], Sequence[Problem]], settings: SFTSettings) -> None:
        folder = stage_folder(self.folder, stage)
        if stage_done(folder):
            return
        model, chat = self._load_to_train(start, settings.lora, stage)
        problems, held_out = hold_out(rows(), settings.eval_rows if settings.eval_every else 0)
        self._stage(
            folder,
            start,
            lambda: train_sft(
                model,
                chat,
                problems,
                settings,
                seed=self._seed(stage),
                folder=folder,
                held_out=held_out,
                stop=stopping.asked,
                title=stage,
            ),
            lambda metrics: self._save(folder, model, chat, stage, start, metrics, settings.lora),
        )

    def _stage(
        self,
        folder: Path,
        start: str,
        work: Callable[[], dict[str, Any]],
        save: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Do a stage's work, keep what it made, and say that it is done. Of its checkpoints then only one stays, where
        an evaluation found it better than the last."""
        folder.mkdir(parents=True, exist_ok=True)
        spent = read_json(folder / "spent.json")["seconds"] if (folder / "spent.json").exists() else 0.0
        began = time.perf_counter()
        try:
            with stopping.at_next_step(), tracked(self.recipe.track, self.folder, str(folder.relative_to(self.folder))):
                metrics = work()
        except BaseException:  # a stage that is gone on with counts the time of all its parts
            with contextlib.suppress(UserError, OSError):  # the disk may be full: what happened first is what is told
                write_json(folder / "spent.json", {"seconds": spent + time.perf_counter() - began})
            raise
        if save:
            save(metrics)
        finite = {k: v for k, v in metrics.items() if isinstance(v, int | float) and v == v and abs(v) != float("inf")}
        seconds = spent + time.perf_counter() - began
        write_json(folder / "stage.json", {"seconds": seconds, "from": start, "metrics": finite})
        (folder / "spent.json").unlink(missing_ok=True)
        keep_only_best(folder / "checkpoints")

    def _save(
        self,
        folder: Path,
        model: Any,
        chat: ChatFormat,
        stage: str,
        start: str,
        metrics: dict[str, Any],
        lora: LoraSettings | None,
    ) -> None:
        card = model_card(stage, start, self.recipe, metrics)
        if lora and lora.save == "merged":
            model = merged(model)
        size = sum(p.nbytes for p in model.parameters())
        with writing(folder / "model.safetensors", size):
            require_room(folder / "model.safetensors", size)
            save_model(folder, model, chat.tokenizer, chat.stop_ids, card)
            sync(*folder.iterdir(), folder)

    def _shots(self) -> list[tuple[str, str, str]]:
        """Worked examples for the base model; fewer than asked for where the task has no more."""
        return worked_examples(self.task, self.recipe.evaluate.base_shots, self.recipe.seed)


def hold_out(problems: Sequence[Problem], count: int) -> tuple[list[Problem], list[Problem]]:
    """(to train on, to measure on during training): the last `count` are held out. They come from the training
    split, so that nothing in a run is chosen by the problems of the final evaluation."""
    if count >= len(problems):
        raise UserError(
            f"holding out {count} of {len(problems)} problems leaves none to train on: "
            "lower eval_rows (eval_problems), or set eval_every to 0"
        )
    cut = len(problems) - count
    return list(problems[:cut]), list(problems[cut:])
