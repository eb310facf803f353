"""Sampling against transformers' `generate` on the same model and prompts, alternating, in one process.

    make bench

Lengths are fixed (no stop token is drawn), so both do the same work. Ratios of one run are what to compare; seconds
move with the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import transformers

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.models.embedded_config import make_model
from reasonwright.models.load import load_tokenizer
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler
from reasonwright.tasks import load_task
from reasonwright.training.policy import Policy
from reasonwright.training.settings import OptimSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--group-size", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench-cpu.json"))
    args = parser.parse_args()

    torch.manual_seed(0)
    chat = ChatFormat(load_tokenizer("embedded:tiny"))
    model = make_model("base", len(chat.tokenizer), chat.end_id).eval()
    chat.stop_ids = frozenset()  # every completion has the full length
    prompts = [chat.prompt(p.question).ids for p in load_task("word_problems").problems("rl", args.problems)]
    work = args.problems * args.group_size * args.tokens

    sampler = NativeSampler(model, chat)
    requests = [SampleRequest(ids, str(i)) for i, ids in enumerate(prompts)]
    params = SamplingParams(n=args.group_size, max_tokens=args.tokens)
    width = max(map(len, prompts))
    padded = torch.tensor([[chat.end_id] * (width - len(p)) + p for p in prompts]).repeat_interleave(args.group_size, 0)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts]).repeat_interleave(args.group_size, 0)

    def native() -> list:
        return sampler.sample(requests, params)

    def generate() -> None:
        with torch.inference_mode():
            model.generate(
                input_ids=padded,
                attention_mask=mask,
                do_sample=True,
                min_new_tokens=args.tokens,
                max_new_tokens=args.tokens,
                pad_token_id=chat.end_id,
            )

    policy = Policy(model, OptimSettings(lr=1e-6), 1000)
    groups = native()
    sequences = [TokenSequence(p, c.token_ids) for p, group in zip(prompts, groups, strict=True) for c in group]
    weights = token_weights(sequences, aggregate="token")
    batches = pack(sequences, weights, micro_batch_tokens=8192)

    def update() -> None:
        policy.update(batches, sft_loss)

    generate(), update()  # warm up
    seconds: dict[str, list[float]] = {"native": [], "generate": [], "update": []}
    for _ in range(args.repeats):
        for name, function in (("native", native), ("generate", generate), ("update", update)):
            began = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - began)
    median = {name: statistics.median(s) for name, s in seconds.items()}
    result = {
        "shape": f"{sum(p.numel() for p in model.parameters()):,} parameters, "
        f"{args.problems} problems x {args.group_size} x {args.tokens} tokens",
        "sampling tokens/s": round(work / median["native"]),
        "generate tokens/s": round(work / median["generate"]),
        "ratio": round(median["generate"] / median["native"], 2),
        "trained tokens/s (with prompt)": round(sum(map(len, sequences)) / median["update"]),
        "seconds": {name: [round(x, 3) for x in s] for name, s in seconds.items()},
        "threads": torch.get_num_threads(),
        "cpu": platform.processor() or platform.machine(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
