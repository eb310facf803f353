"""GRPO steps of reasonwright and of TRL side by side: `make bench` (minutes), `make bench-large` (the 0.5B shape).

The two sides alternate, one process at a time, on the same model folder, prompts, group size and lengths. Ratios of
one run are what to compare: seconds move with the machine. Beside them stand two limits measured in the same run, the
time that the step's products take at the speed of one product of the model's shape, and the time to read the
weights once a generated token.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from shapes import SHAPES, Shape, limits, write_model, write_prompts

from reasonwright.runfolder import environment

HERE = Path(__file__).parent
SIDES = {"ours": ["ours.py"], "trl": ["trl_side.py"]}
ON_GPU = {"trl, continuous batching": ["trl_side.py", "--continuous"]}
"""Left out on a CPU, where it is slower than `generate`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shapes", nargs="*", default=["small", "demo"], help=f"of {', '.join(SHAPES)}")
    parser.add_argument("--rounds", type=int, default=3, help="times that the two sides alternate")
    parser.add_argument("--steps", type=int, default=3, help="steps a process, the first of them to warm up")
    parser.add_argument("--beta", type=float, nargs="*", default=[0.0, 0.04], help="KL weights to measure with")
    parser.add_argument("--compute", choices=["float32", "bfloat16"], default="float32", help="of both sides")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, help="default: results/bench-DEVICE.json")
    args = parser.parse_args()
    out = args.out or HERE.parent / "results" / f"bench-{args.device}.json"
    saved = json.loads(out.read_text()) if out.exists() else {}
    for name in args.shapes:
        for beta in args.beta:
            result = compare(SHAPES[name], beta, args)
            title = f"{name}, KL {'on' if beta else 'off'}, {args.compute}"
            saved[title] = result
            show(title, result)
            out.write_text(json.dumps(saved, indent=1) + "\n")


def compare(shape: Shape, beta: float, args: argparse.Namespace) -> dict[str, Any]:
    sides = SIDES | (ON_GPU if args.device == "cuda" else {})
    with tempfile.TemporaryDirectory() as folder:
        model, prompts = Path(folder) / "model", Path(folder) / "prompts.jsonl"
        parameters = write_model(shape, model)
        prompt_length = write_prompts(shape.problems * args.steps, prompts)
        command = [
            "--model", model, "--prompts", prompts, "--num-prompts", shape.problems, "--group-size", shape.group_size,
            "--new-tokens", shape.new_tokens, "--steps", args.steps, "--beta", beta, "--threads", shape.threads,
            "--compute", args.compute, "--device", args.device,
            "--micro-batch", shape.micro_batch or shape.problems * shape.group_size,
        ]  # fmt: skip
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for _ in range(args.rounds):
            for side, (script, *extra) in sides.items():
                line = subprocess.run(
                    [sys.executable, str(HERE / script), *map(str, command), *extra], capture_output=True, text=True
                )
                if line.returncode:
                    sys.exit(line.stderr)
                runs[side].append(json.loads(line.stdout.splitlines()[-1]))
        config = json.loads((model / "config.json").read_text())
        dtype = getattr(torch, args.compute)
        flops, bandwidth = limits(shape, config["hidden_size"], config["intermediate_size"], dtype, args.device)
    completions = shape.problems * shape.group_size
    new, read = completions * shape.new_tokens, shape.problems * prompt_length
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "parameters": parameters,
        "work": f"{shape.problems} x {shape.group_size} x {shape.new_tokens} tokens, prompts of {prompt_length:.0f}",
        "threads": shape.threads,
        "cpu": environment()["cpu"],
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "limits": {
            "GFLOP/s": round(flops / 1e9),
            "GB/s": round(bandwidth / 1e9, 1),
            # reading, writing and (times three, and once more for the reference) learning, attention left out
            "arithmetic_s": round(2 * parameters * (read + new) * (4 + (beta > 0)) / flops, 2),
            "weights_s": round(dtype.itemsize * parameters * shape.new_tokens / bandwidth, 2),
        },
    }
    for side, each in runs.items():
        step = [s for run in each for s in run["step_s"]]
        sample = [s for run in each for s in run["sample_s"]]
        train = [a - b for a, b in zip(step, sample, strict=True)]
        result[side] = {
            "step_s": round(statistics.median(step), 3),
            "sample_s": round(statistics.median(sample), 3),
            "sampling tokens/s": round(new / statistics.median(sample)),
            "training tokens/s": round(new / statistics.median(train)),
            "peak_mib": max(run["peak_mib"] for run in each),
            "all_step_s": [round(s, 3) for s in step],
        }
    result["sampler_gap"] = max(run["sampler_gap"] for run in runs["ours"])
    ours = result["ours"]
    result["ratio"] = {
        side: {
            "step": round(result[side]["step_s"] / ours["step_s"], 2),
            "sampling": round(result[side]["sample_s"] / ours["sample_s"], 2),
            "memory": round(ours["peak_mib"] / result[side]["peak_mib"], 2),
        }
        for side in sides
        if side != "ours"
    }
    return result


def show(title: str, r: dict[str, Any]) -> None:
    print(f"\n{title}: {r['parameters']:,} parameters, {r['work']}, {r['threads']} thread(s)")
    print("| | step s | sampling s | sampled tokens/s | trained tokens/s | peak MiB |\n|---|---|---|---|---|---|")
    for side in ("ours", *r["ratio"]):
        f = r[side]
        print(
            f"| {side} | {f['step_s']} | {f['sample_s']} | {f['sampling tokens/s']} | {f['training tokens/s']} "
            f"| {f['peak_mib']} |"
        )
    for side, f in r["ratio"].items():
        print(f"against {side}: step {f['step']}x, sampling {f['sampling']}x as fast, memory {f['memory']:.0%}")
    reads = r["ours"]["sample_s"] / r["limits"]["weights_s"]
    print(
        f"ours takes {r['ours']['step_s'] / r['limits']['arithmetic_s']:.1f}x the arithmetic's time "
        f"({r['limits']['GFLOP/s']} GFLOP/s) and samples in {reads:.1f}x the time of reading the weights "
        f"({r['limits']['GB/s']} GB/s); sampler and trainer differ by {r['sampler_gap']:.1e} on average",
        flush=True,
    )


if __name__ == "__main__":
    main()
