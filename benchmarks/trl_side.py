"""TRL's side: GRPO steps of its GRPOTrainer on the same model folder, prompts and lengths, one JSON line.

Batch, group and length as ours; temperature 1, no gradient checkpointing, float32 weights, its own defaults otherwise.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time

from reasonwright.process import wait_briefly

wait_briefly()  # as on our side
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from arguments import side_arguments
from datasets import Dataset
from measure import finished, peak_mib
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer


class StepClock(TrainerCallback):
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_, **__) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, *_, **__) -> None:
        finished()
        self.seconds.append(time.perf_counter() - self.began)


def main() -> None:
    args = side_arguments(__doc__)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows = [json.loads(line) for line in args.prompts.read_text().splitlines()]
    coin, clock, sample_s = random.Random(0), StepClock(), []
    completions = args.num_prompts * args.group_size
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32),
        processing_class=tokenizer,
        reward_funcs=lambda completions, **_: [float(coin.random() < 0.5) for _ in completions],
        train_dataset=Dataset.from_list(rows),
        callbacks=[clock],
        args=GRPOConfig(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=args.micro_batch,
            gradient_accumulation_steps=completions // args.micro_batch,
            use_transformers_continuous_batching=args.continuous,
            num_generations=args.group_size,
            max_completion_length=args.new_tokens,
            generation_kwargs={"min_new_tokens": args.new_tokens},
            max_steps=args.steps,
            beta=args.beta,
            learning_rate=1e-6,
            use_cpu=args.device == "cpu",
            bf16=args.compute == "bfloat16",
            gradient_checkpointing=False,
            save_strategy="no",
            report_to=[],
            logging_steps=10_000,
            disable_tqdm=True,
        ),
    )
    generate = trainer._generate

    def timed(*a, **k):
        began = time.perf_counter()
        out = generate(*a, **k)
        finished()
        sample_s.append(time.perf_counter() - began)
        return out

    trainer._generate = timed
    trainer.train()
    print(
        json.dumps(
            {
                "step_s": clock.seconds[1:], "sample_s": sample_s[1:],
                "peak_mib": peak_mib(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
