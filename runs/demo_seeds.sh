#!/usr/bin/env bash
# The README's tables: the demo with three seeds, one after the other, and its controls. Writes results/demo.json.
# About 13 minutes a seed on 2 cores. Can be stopped and started again.
set -euo pipefail
cd "$(dirname "$0")/.."
rw=.venv/bin/reasonwright
seeds=${SEEDS:-"0 1 2"}

for seed in $seeds; do
    out=runs/demo-seed$seed
    $rw run recipes/demo.yaml --seed "$seed" --out "$out"

    # the same GRPO with rewards drawn at random
    $rw grpo recipes/demo.yaml --force --seed "$seed" --out "$out-coin" --from "$out/sft" \
        --grpo.reward.accuracy 0 --grpo.reward.functions '{"reasonwright.verify.rewards:coin": 1}'

    # SFT on the same rows with every solution right and in full steps, and students of it
    clean="recipes/demo.yaml --task word_problems_clean --seed $seed --out $out-clean"
    $rw sft $clean
    $rw sample $clean --from "$out-clean/sft"
    $rw distill $clean

    for task in word_problems word_problems_long; do
        [ -e "$out-controls/$task/3-student_sft.json" ] || $rw evaluate "$out-coin/grpo" "$out-clean/sft" \
            "$out-clean/distill/student" "$out-clean/distill/student_sft" \
            --task $task --problems $([ $task = word_problems ] && echo 1000 || echo 400) --seed "$seed" --max-tokens 256 --out "$out-controls/$task"
    done
done
.venv/bin/python runs/demo_results.py $seeds
