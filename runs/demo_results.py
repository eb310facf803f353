"""Gathers what `runs/demo_seeds.sh` left in runs/ into results/demo.json, and prints the README's tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RUNS, RESULTS = Path("runs"), Path("results/demo.json")
STAGES = {
    "base_direct": "base, direct answer",
    "base_cot": "base, step by step (2 shots)",
    "sft": "after SFT",
    "grpo": "after GRPO",
    "student_sft": "student on the SFT data",
    "student": "student, distilled",
    "coin": "control: GRPO with rewards at random",
    "clean": "control: SFT, every solution right and in full",
    "clean_student_sft": "control: student on those rows",
    "clean_student": "control: student distilled from that SFT",
}
CONTROLS = {"coin": "0-grpo", "clean": "1-sft", "clean_student": "2-student", "clean_student_sft": "3-student_sft"}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def figures(seed: int, stage: str, file: Path) -> dict[str, Any]:
    kept = ("task", "n", "accuracy", "ci95", "accuracy_lenient", "ci95_lenient", "mean_tokens", "truncated", "seconds")
    result = read(file)
    return {"seed": seed, "stage": stage} | {k: result[k] for k in (*kept, "by_difficulty")}


def gather(seed: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    run, controls = RUNS / f"demo-seed{seed}", RUNS / f"demo-seed{seed}-controls"
    rows = []
    for task in ("word_problems", "word_problems_long"):
        for stage in STAGES:
            name = stage if task == "word_problems" else f"{stage}.{task}"
            file = controls / task / f"{CONTROLS[stage]}.json" if stage in CONTROLS else run / "eval" / f"{name}.json"
            if file.exists():  # the direct answer is asked for on one task only
                rows.append(figures(seed, stage, file))
    return rows, read(run / "summary.json")["seconds"]


def percent(values: list[float]) -> str:
    return " / ".join(f"{100 * v:.1f}" for v in values)


def main(seeds: list[int]) -> None:
    rows: list[dict[str, Any]] = []
    seconds: dict[str, dict[str, float]] = {}
    for seed in seeds:
        found, spent = gather(seed)
        rows += found
        seconds[str(seed)] = spent
    where = read(RUNS / f"demo-seed{seeds[0]}" / "env.json")
    hardware = {key: where[key] for key in ("cpu", "cores", "threads", "gpu", "python", "platform")}
    RESULTS.write_text(json.dumps({"hardware": hardware, "seconds": seconds, "results": rows}, indent=1) + "\n")

    def pick(stage: str, task: str) -> list[dict[str, Any]]:
        return [r for r in rows if r["stage"] == stage and r["task"] == task]

    print(f"| seeds {' / '.join(map(str, seeds))} | strict, % | widest 95 % interval | lenient, % | tokens |")
    print("|---|---|---|---|---|")
    for stage, label in STAGES.items():
        chosen = pick(stage, "word_problems")
        if not chosen:  # a control that has not been run
            continue
        low, high = min(r["ci95"][0] for r in chosen), max(r["ci95"][1] for r in chosen)
        strict, lenient = percent([r["accuracy"] for r in chosen]), percent([r["accuracy_lenient"] for r in chosen])
        tokens = sum(r["mean_tokens"] for r in chosen) / len(chosen)
        print(f"| {label} | {strict} | {100 * low:.1f} to {100 * high:.1f} | {lenient} | {tokens:.0f} |")
    for task in ("word_problems", "word_problems_long"):
        steps = list(pick("grpo", task)[0]["by_difficulty"])
        print(f"\n| steps | {' | '.join(steps)} |\n|---|{'---|' * len(steps)}")
        for stage, label in STAGES.items():
            key = "accuracy_lenient" if stage.startswith("base") else "accuracy"
            chosen = pick(stage, task)
            if chosen:
                cells = [mean_at(chosen, step, key) for step in steps]
                print(f"| {label} | {' | '.join(cells)} |")
    for seed, spent in seconds.items():
        print(f"\nseed {seed}: {sum(spent.values()) / 60:.1f} minutes: {spent}")


def mean_at(chosen: list[dict[str, Any]], step: str, key: str) -> str:
    """Accuracy at one number of steps over all seeds, weighed by n."""
    cells = [r["by_difficulty"][step] for r in chosen]
    n = sum(c["n"] for c in cells)
    return f"{100 * sum(c[key] * c['n'] for c in cells) / n:.0f}"


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]])
