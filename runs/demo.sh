#!/usr/bin/env bash
# The README's table: the demo recipe with seed 0, or the seed given. Writes results/demo-seedN.json.
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-0}
out=runs/demo-seed$seed
.venv/bin/reasonwright run recipes/demo.yaml --seed "$seed" --out "$out"
mkdir -p results
.venv/bin/python - "$out" "results/demo-seed$seed.json" <<'PY'
import json, pathlib, sys
run, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
summary = json.loads((run / "summary.json").read_text())
where = json.loads((run / "env.json").read_text())
summary["hardware"] = {key: where[key] for key in ("cpu", "cores", "threads", "gpu", "python", "platform")}
target.write_text(json.dumps(summary, indent=2) + "\n")
PY
