"""The parts of a made-up run beside its training and evaluations: behaviours, controls, microscope, checks, costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write_parts(run: Path, problems: list[Row], steps: int, texts: list[str]) -> None:
    """`texts` come up wherever a run may hold free text."""
    stages = ("base_cot", "sft", "grpo", "student")
    write_json(run / "eval" / "behaviours.json", {stage: _behaviours(i, texts) for i, stage in enumerate(stages)})
    write_json(run / "ablate.json", _ablation(texts))
    write_lines(
        run / "grpo" / "microscope.jsonl",
        [_scope(problems[step % 7], step, steps, texts) for step in (0, 99, 199, 299)],
    )
    levels = ("good", "bad", "doomed")
    findings = [{"check": f"check {t}", "level": levels[i % 3], "seen": t, "mend": t} for i, t in enumerate(texts)]
    write_json(run / "check.json", {"model": texts[0], "findings": findings, "doomed": True, "forced": True})
    write_lines(run / "grpo" / "warnings.jsonl", [{"step": 7, "kind": "entropy", "text": f"entropy fell: {texts[0]}"}])
    spent = {"sft": 212.4, "grpo": 1630.2, "rejection": 340.9, "distill/student_sft": 90.0, "distill/student": 98.0}
    for place, seconds in spent.items():
        write_json(run / place / "stage.json", {"seconds": seconds, "from": "x", "metrics": {}})


def _behaviours(i: int, texts: list[str]) -> Row:
    """Checking grows with each stage and helps; backtracking stays and does neither; the thought is used after GRPO."""
    rate = 0.05 + 0.1 * i
    checks = {"rate": rate, "ci95": [rate - 0.02, rate + 0.02], "keyword_rate": 0.4}
    checks["minus_base"] = {"difference": 0.1 * i, "ci95": [0.1 * i - 0.03, 0.1 * i + 0.03]} if i else None
    checks["usefulness"] = {"difference": 0.08, "ci95": [0.02, 0.14], "n_with": 40, "n_without": 80}
    checks["examples"] = [{"id": "a", "earlier": f"3 x 4 = 12 {text}", "later": "12 / 4 = 3"} for text in texts]
    back = {"rate": 0.06, "ci95": [0.03, 0.11], "keyword_rate": 0.5, "minus_base": None, "usefulness": None}
    back["examples"] = []
    change = {"n": 60, "changed": 0.7, "ci95": [0.58, 0.8], "accuracy": 0.3, "p_gold": 0.3, "p_drop": 0.6}
    change |= {"p_drop_ci95": [0.5, 0.7] if i == 2 else [-0.1, 0.1], "followed": 0.65}
    removed = {"n": 60, "changed": 0.9, "ci95": [0.8, 0.95], "accuracy": 0.1, "p_drop": 0.8, "p_drop_ci95": [0.7, 0.9]}
    thinking = {"tokens": 60.0 + 10 * i, "steps": 3.0, "slope_tokens": 12.5, "slope_tokens_ci95": [11.9, 13.1]}
    steps = {
        "n": 400,
        "valid_share": 0.93,
        "ci95": [0.9, 0.95],
        "right_from_wrong_steps": {"share": 0.02, "ci95": [0.0, 0.06]},
    }
    causal = {
        "n": 60,
        "intact": {"accuracy": 1.0, "p_gold": 0.95},
        "last_step": change,
        "cut": None,
        "removed": removed,
    }
    return {
        "n": 120,
        "verification": checks,
        "backtracking": back,
        "thinking": thinking,
        "steps": steps,
        "causal": causal if i >= 2 else None,
    }


def _ablation(texts: list[str]) -> Row:
    """Random rewards do worse than GRPO; leaving out the KL makes no difference."""

    def arm(what: str, accuracy: float, difference: float) -> Row:
        strict = {"accuracy": accuracy, "ci95": [accuracy - 0.03, accuracy + 0.03], "difference": difference}
        strict |= {
            "difference_ci95": [difference - 0.03, difference + 0.03],
            "by_seed": [accuracy - 0.01, accuracy + 0.01],
        }
        return {"what": what, "strict": strict, "lenient": strict, "mean_tokens": 88.0, "seconds": 300.0}

    arms = {"sft": arm("where all arms start", 0.62, -0.31), "grpo": arm("the recipe's GRPO", 0.93, 0.0)}
    arms["random_reward"] = arm(f"rewards drawn at random {texts[0]}", 0.55, -0.38)
    arms["no_kl"] = arm("no KL", 0.94, 0.01)
    return {"seeds": [0, 1], "problems": 120, "baseline": "grpo", "arms": arms}


def _scope(problem: Row, step: int, steps: int, texts: list[str]) -> Row:
    """A group of four: the update made the right ones likelier, some tokens beyond the bound of 1.2."""
    completions = []
    for i in range(4):
        pieces = ["<think>", "\n", *" ".join(problem["thought"]).split(" "), *texts, "\n", "</think>", problem["gold"]]
        logprobs = [-0.05 * (k % 7) for k in range(len(pieces))]
        push = 0.25 if i % 2 else -0.3
        after = [x + push * (k % 5 == 0) for k, x in enumerate(logprobs)]
        completion = {"text": "".join(pieces), "reward": float(i % 2), "parts": {"accuracy": i % 2, texts[0]: 1.0}}
        completion |= {"kl": 0.3, "advantage": 1.0 if i % 2 else -1.0, "strict": bool(i % 2), "lenient": True}
        completion |= {"tokens": len(pieces), "finish_reason": "stop", "pieces": pieces, "sampler": logprobs}
        completions.append(completion | {"after": after, "reference": [x - 0.2 * step / steps for x in logprobs]})
    asked = {"problem_id": problem["id"], "question": problem["question"], "gold": problem["gold"]}
    loss = {"ratio": "token", "clip": "pessimistic", "epsilon_low": 0.2, "epsilon_high": 0.2}
    return {
        "step": step,
        **asked,
        "prompt": f"Question: {problem['question']} {texts[-1]}",
        **loss,
        "completions": completions,
    }


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value))


def write_lines(path: Path, table: list[Row]) -> None:
    write_text(path, "".join(json.dumps(row) + "\n" for row in table))
