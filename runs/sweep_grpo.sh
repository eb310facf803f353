#!/usr/bin/env bash
# GRPO settings of the demo, from one SFT model: a run a line, figures from problems held out of the RL split (never the
# evaluation's). Prints the table in LOG.md. Usage: runs/sweep_grpo.sh runs/demo-seed0/sft [STEPS]
set -euo pipefail
cd "$(dirname "$0")/.."
sft=$1 steps=${2:-30}
rw=.venv/bin/reasonwright
while read -r name settings; do
    # shellcheck disable=SC2086
    $rw grpo recipes/demo.yaml --from "$sft" --out "runs/sweep/$name" --seed 0 --grpo.steps "$steps" \
        --grpo.eval_every 15 --grpo.eval_problems 256 --grpo.problems 2304 $settings
done <<'SETTINGS'
lr-1e-3   --grpo.optim.lr 1e-3
lr-4e-4   --grpo.optim.lr 4e-4
lr-2e-4   --grpo.optim.lr 2e-4
lr-5e-5   --grpo.optim.lr 5e-5
no-kl     --grpo.kl.place none --grpo.optim.lr 4e-4
kl-0.02   --grpo.kl.beta 0.02 --grpo.optim.lr 4e-4
dr-grpo   --grpo.loss.variant dr_grpo --grpo.optim.lr 4e-4
16x16     --grpo.problems_per_step 16 --grpo.group_size 16 --grpo.optim.lr 4e-4
two       --grpo.updates_per_rollout 2 --grpo.optim.lr 2e-4
SETTINGS
.venv/bin/python runs/sweep_table.py runs/sweep/*
