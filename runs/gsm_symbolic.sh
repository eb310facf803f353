#!/usr/bin/env bash
# The README's figures on GSM-Symbolic: half an hour to an hour on 2 cores. Writes results/gsm-symbolic.json.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/reasonwright run recipes/gsm-symbolic.yaml --seed 0
cp runs/gsm-symbolic/summary.json results/gsm-symbolic.json
