#!/usr/bin/env bash
# Makes the embedded base and student from nothing (about 90 minutes on one core) and puts them into the package.
# Can be stopped and started again; checkpoints lie in checkpoints/, which git ignores.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
for part in tiny:300 base:4500 student:4000; do
    shape=${part%:*}
    .venv/bin/reasonwright pretrain "$shape" --steps "${part#*:}" --seed 0 --out "checkpoints/$shape"
    mkdir -p "src/reasonwright/models/embedded/$shape"
    cp checkpoints/"$shape"/model/* "src/reasonwright/models/embedded/$shape/"
done
