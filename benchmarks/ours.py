"""Our side: GRPO steps on fixed work (every completion has the full length), one JSON line."""

from __future__ import annotations

import copy
import json
import random
import time

from reasonwright.process import prepare_process

prepare_process()

import torch
from arguments import side_arguments
from measure import finished, peak_mib

from reasonwright.chat import ChatFormat, Prompt
from reasonwright.models.attention import packs_flat
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.sampling.native import NativeSampler
from reasonwright.training.grpo import update
from reasonwright.training.policy import Policy
from reasonwright.training.rollout import add_reference, assign_advantages, build_batches, rollout
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Completion, Problem, Reward, Verdict


def main() -> None:
    args = side_arguments(__doc__)
    torch.set_num_threads(args.threads)
    model, chat = (
        load_model(args.model, device=args.device, compute=args.compute),
        ChatFormat(load_tokenizer(args.model)),
    )
    chat.stop_ids = frozenset()  # every completion has the full length
    rows = [json.loads(line)["prompt"] for line in args.prompts.read_text().splitlines()]
    problems = [Problem(str(i), text, "0") for i, text in enumerate(rows)]
    chat.prompt = lambda text: chat_prompt(chat, text)  # type: ignore[method-assign]
    settings = GRPOSettings.model_validate(
        {
            "problems_per_step": args.num_prompts, "group_size": args.group_size, "max_tokens": args.new_tokens,
            "kl": {"place": "loss", "beta": args.beta} if args.beta else {"place": "none"}, "optim": {"lr": 1e-6},
        }
    )  # fmt: skip
    policy = Policy(model, settings.optim, 1000)
    reference = copy.deepcopy(model).eval().requires_grad_(False) if args.beta else None
    sampler, coin = NativeSampler(model, chat), random.Random(0)

    def score(problem: Problem, completion: Completion) -> Reward:
        value = float(coin.random() < 0.5)
        return Reward(value, value, {"coin": value}, Verdict(False, False, None))

    step_s, sample_s, gap = [], [], []
    for step in range(args.steps):
        began = time.perf_counter()
        groups, seconds = rollout(sampler, chat, problems, score, settings, 0, step)
        batches = build_batches(groups, settings, groups, flat=packs_flat(model))
        if reference is not None:
            add_reference(batches, reference, settings.temperature)
        assign_advantages(groups, batches, settings)
        metrics = update(policy, batches, settings)
        finished()
        step_s.append(time.perf_counter() - began)
        sample_s.append(seconds["seconds/sampling"])
        gap.append(metrics["sampler_gap"])
    print(
        json.dumps(
            {
                "step_s": step_s[1:], "sample_s": sample_s[1:], "sampler_gap": max(gap),
                "peak_mib": peak_mib(),
            }
        )
    )  # fmt: skip


def chat_prompt(chat: ChatFormat, text: str) -> Prompt:
    """The text's tokens as they are: it has been through the template."""
    return Prompt(chat.tokenizer(text).input_ids, "", ())


if __name__ == "__main__":
    main()
