"""Two real GRPO steps of a random model of 50 M parameters; prints the predicted and the measured peak in bytes."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from reasonwright.process import prepare_process

prepare_process()

import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from reasonwright.chat import ChatFormat
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.models.lora import add_adapter
from reasonwright.planner.memory import memory, peak
from reasonwright.planner.stages import Work
from reasonwright.training.grpo import train_grpo
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Problem, Reward, Verdict

CONFIG = Qwen2Config(
    vocab_size=8192, hidden_size=640, intermediate_size=1920, num_hidden_layers=9, num_attention_heads=10,
    num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=2048,
)  # fmt: skip
PROBLEMS, GROUP, TOKENS = 4, 4, 48


def write_model(folder: Path) -> None:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(CONFIG).save_pretrained(folder)


def coin(problem: Problem, completion) -> Reward:
    value = float(completion.token_ids[0] % 2)
    return Reward(value, value, {"coin": value}, Verdict(False, False, None))


def main(changes: dict, folder: Path) -> None:
    torch.set_num_threads(1)
    chat = ChatFormat(load_tokenizer("embedded:base"))
    chat.stop_ids = frozenset()  # every completion has the full length
    settings = GRPOSettings.model_validate(
        {
            "steps": 2, "problems_per_step": PROBLEMS, "group_size": GROUP, "max_tokens": TOKENS, "logged_groups": 0,
            "kl": {"place": "loss"}, "optim": {"micro_batch_tokens": 520}, "checkpoint_every": 100, "eval_every": 1,
        } | changes
    )  # fmt: skip
    problems = [Problem(str(i), f"{i} " + "What is the price of seven apples and of two? " * 3, "1") for i in range(9)]
    prompt = len(chat.prompt(problems[0].question).ids)
    work = Work(
        "grpo", str(folder), prompt, TOKENS, PROBLEMS * GROUP, 2, GROUP,
        positions=PROBLEMS * (prompt + GROUP * TOKENS), optim=settings.optim, lora=settings.lora, reference=True,
    )  # fmt: skip
    parts = memory(work, CONFIG, "cpu")
    model = load_model(str(folder))
    for p in model.parameters():
        p.sum()  # weights are read from the file when they are first looked at
    own = resident() - sum(p.nbytes for p in model.parameters())
    model = add_adapter(model, settings.lora, 0) if settings.lora else model
    peaks = [1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]
    train_grpo(
        model, chat, problems, coin, settings, seed=0, folder=folder / "run",
        evaluate=lambda: peaks.append(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) or 0.0,
    )  # fmt: skip
    measured = peaks[-1]
    print(
        json.dumps({"own": own, "parts": parts, "predicted": peak(parts) + own, "measured": measured, "peaks": peaks})
    )


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
