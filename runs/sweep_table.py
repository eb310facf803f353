"""A line for each GRPO run: greedy accuracy on held-out problems along training, and how far the policy went."""

from __future__ import annotations

import json
import sys
from pathlib import Path

for folder in map(Path, sys.argv[1:]):
    rows = [json.loads(line) for line in (folder / "grpo" / "metrics.jsonl").read_text().splitlines()]
    curve = " / ".join(f"{100 * r['eval/accuracy']:.1f}" for r in rows if "eval/accuracy" in r)
    last = rows[-5:]
    sampled, length, entropy = (sum(r[k] for r in last) / len(last) for k in ("accuracy", "length", "entropy"))
    worst = max(r["grad_norm"] for r in rows)
    print(
        f"| {folder.name} | {curve} | {100 * sampled:.1f} | {length:.0f} | {entropy:.3f} | {worst:.2f} "
        f"| {sum(r['seconds/sampling'] + r['seconds/training'] for r in rows):.0f} |"
    )
