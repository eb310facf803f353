"""Controls: the recipe's GRPO against the same with one thing changed, from the same SFT model, in one table.

Each arm is a run of its own in RUN/ablate/ARM-seedS, as `reasonwright grpo` with the overrides would make it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.table import Table

from reasonwright.display import console
from reasonwright.evaluation.compare import compare_greedy
from reasonwright.evaluation.statistics import intervals_of_differences, intervals_of_means
from reasonwright.evaluation.tables import make_table, points, share
from reasonwright.pipeline import Pipeline
from reasonwright.recipe import Recipe, differences, make_recipe, set_key
from reasonwright.runfolder import locked, open_run, stage_done
from reasonwright.runlog import read_jsonl, write_json
from reasonwright.types import UserError

Overrides = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arm:
    what: str
    """For the table."""
    overrides: Callable[[Recipe], Overrides]
    """The recipe's keys that this arm sets."""
    stage: Literal["grpo", "sft"] = "grpo"


def _group(size: int) -> Arm:
    """Groups of another size, with as many completions a step."""

    def overrides(recipe: Recipe) -> Overrides:
        completions = recipe.grpo.problems_per_step * recipe.grpo.group_size
        if completions % size:
            raise UserError(f"group_{size} needs a multiple of {size} completions a step, and there are {completions}")
        return {"grpo.group_size": size, "grpo.problems_per_step": completions // size}

    return Arm(f"groups of {size}", overrides)


def _reward(path: str) -> Overrides:
    return {"grpo.reward": {"accuracy": 0.0, "functions": {f"reasonwright.verify.rewards:{path}": 1.0}}}


BASELINE = "grpo"
ARMS: dict[str, Arm] = {
    BASELINE: Arm("the recipe's GRPO", lambda _: {}),
    "random_reward": Arm("rewards drawn at random", lambda _: _reward("coin")),
    "format_only": Arm("a reward for the form alone", lambda _: _reward("form")),
    "sft_more": Arm("SFT for GRPO's seconds", lambda _: {}, "sft"),
    "no_kl": Arm("no KL", lambda _: {"grpo.kl.place": "none"}),
    "no_std": Arm("advantages not divided by std", lambda _: {"grpo.loss.scale": "none"}),
    **{f"group_{size}": _group(size) for size in (2, 4, 8, 16)},
}


class Ablation:
    """The arms of one recipe and run folder, for several seeds.

    Seeds change the training; the SFT model and the evaluation's problems are those of the recipe's own seed, so that
    every difference is one of pairs.
    """

    def __init__(self, recipe: Recipe, folder: Path, arms: Sequence[str] | None, seeds: Sequence[int] | None):
        self.recipe, self.folder = recipe, folder
        self.seeds = list(dict.fromkeys(seeds or [recipe.seed]))
        self.arms = [BASELINE, *self._chosen(arms)]

    def _chosen(self, names: Sequence[str] | None) -> list[str]:
        """The arms asked for, or all that differ from the recipe and are possible with it."""
        unknown = [name for name in names or () if name not in ARMS]
        if unknown:
            raise UserError(f"there is no arm {unknown[0]!r}; there are {', '.join(a for a in ARMS if a != BASELINE)}")
        chosen = []
        for name in dict.fromkeys(names or ARMS):
            try:
                same = ARMS[name].stage == "grpo" and not differences(self.recipe, self._with(name))
            except UserError as error:
                if names:
                    raise
                console.print(f"left out: {error}", markup=False)
                continue
            if not same:
                chosen.append(name)
            elif name != BASELINE:
                console.print(f"left out: {name} is what the recipe does", markup=False)
        return chosen

    def check(self) -> None:
        """Refuse what cannot work before anything is trained."""
        for name in self.arms:
            Pipeline(self._with(name), self.folder).check()

    def run(self) -> dict[str, Any]:
        """Train and evaluate all arms (those done are read), write ablate.json and print the table."""
        open_run(self.folder, self.recipe)
        base = Pipeline(self.recipe, self.folder)
        base.sft()
        base.evaluate("sft")
        for seed, name in itertools.product(self.seeds, self.arms):
            self._run_arm(name, seed)
        result = self._summarise()
        write_json(self.folder / "ablate.json", result)
        console.print(ablation_table(result))
        return result

    def place(self, name: str, seed: int) -> Path:
        """The arm's run folder; the recipe's own GRPO at its own seed is the run itself."""
        own = name == BASELINE and seed == self.recipe.seed
        return self.folder if own else self.folder / "ablate" / f"{name}-seed{seed}"

    def _run_arm(self, name: str, seed: int) -> None:
        folder, arm = self.place(name, seed), ARMS[name]
        start = str(self.folder / "sft")
        console.print(f"{name}, seed {seed}: {folder}", markup=False)
        if folder == self.folder:
            base = Pipeline(self.recipe, folder)
            base.grpo()
            base.evaluate("grpo")
            return
        more: Overrides = {"seed": seed, "evaluate.seed": self._eval_seed()}
        if arm.stage == "sft":
            more |= {"model": start, "sft.epochs": self._epochs(seed)}
        recipe = self._with(name, more)
        pipeline = Pipeline(recipe, folder)
        with locked(folder):
            open_run(folder, recipe)
            if arm.stage == "sft":
                pipeline.sft()
            else:
                pipeline.grpo(start)
            pipeline.evaluate(arm.stage)

    def _eval_seed(self) -> int:
        return self.recipe.seed if self.recipe.evaluate.seed is None else self.recipe.evaluate.seed

    def _epochs(self, seed: int) -> int:
        """Epochs of further SFT that take about as long as this seed's GRPO did."""
        grpo = stage_done(self.place(BASELINE, seed) / "grpo")
        sft = stage_done(self.folder / "sft")
        assert grpo is not None
        assert sft is not None
        return max(1, round(grpo["seconds"] / sft["seconds"] * self.recipe.sft.epochs))

    def _with(self, name: str, more: Overrides | None = None) -> Recipe:
        """The arm's recipe."""
        values = self.recipe.model_dump()
        for key, value in (ARMS[name].overrides(self.recipe) | (more or {})).items():
            set_key(values, key, value)
        return make_recipe(values, name)

    # -- what came out -----------------------------------------------------------------------------------------------

    def _summarise(self) -> dict[str, Any]:
        """Figures of each arm over all seeds, and of each seed."""
        rows = {name: [self._answers(name, seed) for seed in self.seeds] for name in self.arms}
        arms = {name: _figures(rows[name], rows[BASELINE]) for name in self.arms}
        start = read_jsonl(self.folder / "eval" / "sft.jsonl")
        for name, figures in arms.items():
            done = [stage_done(self.place(name, seed) / ARMS[name].stage) or {} for seed in self.seeds]
            figures["what"] = ARMS[name].what
            figures["seconds"] = float(np.mean([d["seconds"] for d in done]))
        sft = _figures([start] * len(self.seeds), rows[BASELINE]) | {"what": "where all arms start"}
        sft["seconds"] = (stage_done(self.folder / "sft") or {})["seconds"]
        return {"seeds": self.seeds, "problems": len(start), "baseline": BASELINE, "arms": {"sft": sft} | arms}

    def _answers(self, name: str, seed: int) -> list[dict[str, Any]]:
        return read_jsonl(self.place(name, seed) / "eval" / f"{ARMS[name].stage}.jsonl")


def _figures(
    rows_SP: Sequence[Sequence[dict[str, Any]]], base_SP: Sequence[Sequence[dict[str, Any]]]
) -> dict[str, Any]:
    """Means over seeds and problems with 95 % intervals over problems, and the differences from the baseline.

    The seeds are taken as they are, since three of them cannot be resampled; `by_seed` shows how far they lie apart.
    """
    figures: dict[str, Any] = {}
    for form in ("strict", "lenient"):
        own, base = (np.array([[r[form] for r in rows] for rows in each], dtype=float) for each in (rows_SP, base_SP))
        own_P, base_P = own.mean(axis=0), base.mean(axis=0)
        figures[form] = {
            "accuracy": float(own_P.mean()),
            "ci95": intervals_of_means(own_P[:, None])[0],
            "difference": float(own_P.mean() - base_P.mean()),
            "difference_ci95": intervals_of_differences(base_P[:, None], own_P[:, None])[0],
            "by_seed": own.mean(axis=1).tolist(),
        }
    figures["paired"] = [compare_greedy(base, own) for base, own in zip(base_SP, rows_SP, strict=True)]
    figures["mean_tokens"] = float(np.mean([r["tokens"] for rows in rows_SP for r in rows]))
    return figures


def ablation_table(result: dict[str, Any]) -> Table:
    """An arm a row."""
    rows = []
    for name, arm in result["arms"].items():
        strict, seeds = arm["strict"], [f"{100 * a:.1f}" for a in arm["strict"]["by_seed"]]
        against = points(strict["difference"], strict["difference_ci95"]) if name != result["baseline"] else ""
        rows.append(
            [
                name,
                share(strict["accuracy"], strict["ci95"]),
                against,
                " / ".join(seeds),
                f"{arm['mean_tokens']:.0f}",
                f"{arm['seconds']:.3g}",
            ]
        )
    seeds_named = " / ".join(map(str, result["seeds"]))
    title = f"Controls against {result['baseline']}, n = {result['problems']}, in %, 95 % intervals over problems"
    columns = ("arm", "strict", "difference", f"seeds {seeds_named}", "tokens", "seconds")
    return make_table(title, columns, rows)
