#!/usr/bin/env bash
# Makes the embedded models from nothing and puts them into the package: about two and a half hours on two cores.
# Can be stopped and started again; checkpoints lie in checkpoints/, which git ignores.
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# freed activations stay with the process: without this a fifth of the time goes into page faults
export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
# oneDNN makes a kernel for each shape, and there are more shapes than the 1,024 that it keeps by default
export ONEDNN_PRIMITIVE_CACHE_CAPACITY=20000

pretrain() { # SHAPE STEPS, of the whole corpus
    .venv/bin/reasonwright pretrain "$1" --seed 0 --out "checkpoints/$1" --steps "$2"
}
go_on() { # SHAPE FROM PART STEPS RATE SEED
    .venv/bin/reasonwright pretrain "$1" --from "checkpoints/$2/model" --part "$3" --steps "$4" --rate "$5" --seed "$6" \
        --out "checkpoints/$1-$6"
}
install() { # SHAPE FOLDER
    mkdir -p "src/reasonwright/models/embedded/$1"
    cp checkpoints/"$2"/model/* "src/reasonwright/models/embedded/$1/"
}
pretrain tiny 300 && install tiny tiny
{
    pretrain base 7000
    go_on base base ages 1500 3e-3 1
    go_on base base-1 older 700 3e-3 2 # learns to tell older from younger, and forgets some of the rest
    go_on base base-2 ages 1200 2e-3 3
} & # one core each
pretrain student 11500
wait %1
install base base-3 && install student student
