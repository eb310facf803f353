"""What both sides of a benchmark are told. Imports nothing of ours, so that TRL's process holds TRL alone."""

from __future__ import annotations

import argparse
from pathlib import Path


def side_arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--num-prompts", type=int, required=True)
    parser.add_argument("--group-size", type=int, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--beta", type=float, default=0.0)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compute", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--micro-batch", type=int, required=True, help="completions that TRL learns from at a time")
    parser.add_argument("--continuous", action="store_true", help="TRL samples with transformers' continuous batching")
    return parser.parse_args()
