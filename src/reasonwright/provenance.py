"""What a run's numbers come from beside its recipe: the problems and the starting models."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from reasonwright.recipe import Recipe
from reasonwright.tasks import is_endless, load_task
from reasonwright.tasks.base import Split
from reasonwright.types import Problem, UserError


def inputs(recipe: Recipe) -> dict[str, Any]:
    """Hashes of the problems of each use and of the starting models; a part of env.json."""
    return {
        "data": {
            use: {"problems": len(problems), "sha256": problems_sha256(problems)}
            for use, problems in problems_used(recipe).items()
        },
        "models": {spec: weights_sha256(spec) for spec in (recipe.model, recipe.student)},
    }


def problems_used(recipe: Recipe) -> dict[str, list[Problem]]:
    """The problems of each use, as its stage reads them: {"sft": …, "grpo": …, "evaluate": …, "evaluate/gsm8k": …}.

    A use whose problems cannot be read is left out; its own stage says why, and other stages may not need it.
    """
    evaluate = recipe.evaluate
    eval_seed = recipe.seed if evaluate.seed is None else evaluate.seed
    uses: dict[str, tuple[str, Split, int | None, int]] = {
        "sft": (recipe.task, "sft", recipe.sft.rows, recipe.seed),
        "grpo": (recipe.task, "rl", recipe.grpo.problems, recipe.seed),
        "rejection": (recipe.task, "rl", recipe.rejection.problems, recipe.seed),
        "evaluate": (recipe.task, "eval", evaluate.problems, eval_seed),
    }
    for spec in evaluate.also:
        count = evaluate.also_problems or evaluate.problems
        uses[f"evaluate/{spec.partition(':')[0]}"] = (spec, "eval", count, eval_seed)
    found = {}
    for use, (spec, split, count, seed) in uses.items():
        if count is None and is_endless(spec):
            continue
        with suppress(UserError):
            found[use] = load_task(spec, skip_bad_rows=recipe.skip_bad_rows).problems(split, count, seed)
    return found


def problems_sha256(problems: Sequence[Problem]) -> str:
    """Of all that training and grading read of the problems, in their order."""
    digest = hashlib.sha256()
    for p in problems:
        row = [p.id, p.question, p.answer, p.answer_kind, p.solution, p.completion]
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def weights_sha256(spec: str) -> str:
    """Of a model's safetensors files, one behind the other in the order of their names; a hub's are fetched."""
    from reasonwright.models.load import resolve_model

    source = resolve_model(spec)
    if not os.path.isdir(source):
        from huggingface_hub import snapshot_download

        source = snapshot_download(source, allow_patterns="model*.safetensors")
    digest = hashlib.sha256()
    for file in sorted(Path(source).glob("model*.safetensors")):
        with file.open("rb") as bytes_:
            while block := bytes_.read(2**22):
                digest.update(block)
    return digest.hexdigest()
