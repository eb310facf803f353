"""A run and its repetition side by side: what made them, then what came out.

The same recipe and seed give the same bits twice on the CPU of one machine with the same versions. Elsewhere (another
machine, version or thread count, or a GPU) sums are rounded in another order: problems and starting models must still
be the same bytes, and accuracies must agree within their 95 % intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from safetensors.torch import load_file

from reasonwright.display import console
from reasonwright.runfolder import stage_folder
from reasonwright.runlog import read_json
from reasonwright.summary import MODELS, STAGE_LABELS
from reasonwright.types import UserError

RECORDS = ("grpo/rollouts.jsonl", "rejection/solutions.jsonl", "rejection/kept.jsonl")


@dataclass(frozen=True, slots=True)
class Comparison:
    what: str
    same: bool
    detail: str
    must: bool
    """Whether a difference means that the run was not reproduced."""


def places(run: Path, out: Path | None) -> tuple[Path, Path]:
    """(the finished run, where it is done again). Raises UserError where either cannot be."""
    run = run.resolve()
    if not (run / "summary.json").exists():
        raise UserError(f"{run} is no finished run: it has no summary.json")
    again = out.resolve() if out else run.with_name(run.name + "-reproduced")
    if again == run:
        raise UserError(f"--out {out} is the run itself: choose another folder")
    return run, again


def compare_runs(run: Path, again: Path) -> list[Comparison]:
    """Every comparison of two finished runs, differences of the place first."""
    env, other = read_json(run / "env.json"), read_json(again / "env.json")
    place = list(_place(env, other))
    bits = all(row.same for row in place) and env["gpu"] is None
    return [
        *place,
        *_inputs(env, other),
        *_weights(run, again, bits),
        *_texts(run, again, bits),
        *_figures(run, again, bits),
    ]


def say_comparison(rows: list[Comparison]) -> bool:
    """Print the table; whether the run was reproduced."""
    table = Table(title="Reproduced?", title_justify="left")
    for column in ("what", "same", "detail"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.what, "yes" if row.same else "NO" if row.must else "no", row.detail)
    console.print(table)
    failed = [row.what for row in rows if row.must and not row.same]
    console.print(f"not reproduced: {', '.join(failed)}" if failed else "reproduced", markup=False)
    return not failed


def _place(env: dict[str, Any], other: dict[str, Any]) -> Iterator[Comparison]:
    """Versions and hardware. A difference is no fault, but explains those that follow."""
    names = ("python", "platform", "cpu", "cores", "threads", "gpu", "git")
    one, two = ({name: e[name] for name in names} | e["versions"] for e in (env, other))
    differing = [name for name in one if one[name] != two[name]]
    for name in differing:
        yield Comparison(name, False, f"{one[name]} -> {two[name]}", must=False)
    if not differing:
        yield Comparison(
            "versions and hardware", True, f"{one['cpu']}, torch {one['torch']}, git {one['git']}", must=False
        )


def _inputs(env: dict[str, Any], other: dict[str, Any]) -> Iterator[Comparison]:
    for kind in ("data", "models"):
        one, two = env[kind], other[kind]
        for name in one | two:
            a, b = one.get(name), two.get(name)
            detail = f"{a['problems']} problems" if isinstance(a, dict) else "weights"
            yield Comparison(f"{kind}: {name}", a == b, detail if a == b else f"{a} -> {b}", must=True)


def _weights(run: Path, again: Path, bits: bool) -> Iterator[Comparison]:
    for stage in MODELS:
        same, detail = _compare_weights(stage_folder(run, stage), stage_folder(again, stage))
        yield Comparison(f"weights: {stage}", same, detail, must=bits)


def _compare_weights(one: Path, two: Path) -> tuple[bool, str]:
    a, b = ({k: v for f in sorted(p.glob("model*.safetensors")) for k, v in load_file(f).items()} for p in (one, two))
    if {k: v.shape for k, v in a.items()} != {k: v.shape for k, v in b.items()}:
        return False, "other tensors"
    # as bytes, so that NaN equals itself and 0 is not -0
    if all(v.numpy().tobytes() == b[k].numpy().tobytes() for k, v in a.items()):
        return True, "bit for bit"
    gap = max(float((v.double() - b[k].double()).abs().max()) for k, v in a.items() if v.numel())
    return False, f"largest difference {gap:.2g}"


def _texts(run: Path, again: Path, bits: bool) -> Iterator[Comparison]:
    answers = sorted({str(f.relative_to(r)) for r in (run, again) for f in (r / "eval").glob("*.jsonl")})
    for name in (*RECORDS, *answers):
        one, two = ((r / name).read_bytes().split(b"\n") if (r / name).exists() else [] for r in (run, again))
        differing = sum(a != b for a, b in zip(one, two, strict=False)) + abs(len(one) - len(two))
        detail = f"{len(one) - 1} rows" if one == two else f"{differing} rows differ"
        yield Comparison(name, one == two, detail, must=bits)


def _figures(run: Path, again: Path, bits: bool) -> Iterator[Comparison]:
    one, two = (read_json(r / "summary.json")["stages"] for r in (run, again))
    for stage in one:
        a, b = one[stage], two[stage]
        same = (a["accuracy"], a["accuracy_lenient"]) == (b["accuracy"], b["accuracy_lenient"])
        apart = a["ci95"][0] > b["ci95"][1] or b["ci95"][0] > a["ci95"][1]
        detail = f"{a['accuracy']:.1%}" if same else f"{a['accuracy']:.1%} -> {b['accuracy']:.1%}"
        yield Comparison(f"accuracy: {STAGE_LABELS[stage]}", same, detail, must=bits or apart)
