"""A run folder as a finished run leaves it, made up deterministically and without a model.

To look at the page: `python tests/report/fake_run.py DIR [--hostile]`.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from fake_parts import Row, write_json, write_lines, write_parts, write_text

SKILL = {"base_direct": 0.05, "base_cot": 0.18, "sft": 0.62, "grpo": 0.93, "student_sft": 0.48, "student": 0.81}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "</pre></div></style></title><iframe src=https://evil.example/></iframe>",
    "'\"><a href=javascript:alert(3)>x</a>",
    "{{7*7}} {% raw %} ${7*7}",
    "]]><svg onload=alert(4)><object data=x></object>",
    "\x00\x1b[31m \ud800 \u202e bidi",
    "W" * 400,
]
PEOPLE = ["Maya", "Tom", "Aisha", "Leo", "Nina", "Omar"]
THINGS = ["loaves of bread", "pencils", "stickers", "apples", "marbles", "tickets"]


def write_run(run: Path, problems: int = 120, steps: int = 300, hostile: bool = False, seed: int = 0) -> Path:
    """All files of a run; with `hostile`, its texts and names try to become markup."""
    random_ = random.Random(seed)
    questions = [_problem(random_, i, hostile) for i in range(problems)]
    stages = {stage: _stage(run, stage, skill, questions, random_) for stage, skill in SKILL.items()}
    stages["grpo.word_problems_long"] = {
        **stages["grpo"],
        "accuracy": 0.41,
        "ci95": [0.33, 0.5],
        "accuracy_lenient": 0.44,
    }
    stages["grpo.word_problems_long"]["ci95_lenient"] = [0.35, 0.53]
    versions = {"torch": "2.11.0", "reasonwright": "0.1.0"}
    write_json(run / "summary.json", {"stages": stages, "versions": versions, "seed": seed})
    _training(run, questions, steps, hostile, random_)
    write_parts(run, questions, steps, HOSTILE if hostile else ["a plain sentence"])
    _rejection(run)
    write_json(run / "eval" / "examples.json", _examples(hostile))
    recipe = f"name: demo\nseed: {seed}\nmodel: embedded:base\ngrpo:\n  group_size: 8\n  problems_per_step: 32\n"
    recipe += "  eval_problems: 128\n"
    write_text(run / "recipe.yaml", recipe + (f"note: {HOSTILE[2]} {HOSTILE[4]}\n" if hostile else ""))
    hardware = {"cpu": "2 cores", "gpu": None, "note": HOSTILE[0] if hostile else "none"}
    write_json(run / "env.json", {"versions": versions, "hardware": hardware, "argv": ["run", "recipes/demo.yaml"]})
    return run


def _problem(random_: random.Random, i: int, hostile: bool) -> Row:
    steps = 1 + i % 8
    amount, who, thing = random_.randint(3, 30), random_.choice(PEOPLE), random_.choice(THINGS)
    question, thought = f"{who} has {amount} {thing}.", []
    for step in range(steps):
        more = random_.randint(2, 9)
        if step % 2:
            question += f" Then {who} is given {more} times as many as that in all."
            thought.append(f"{amount} x {more} = {amount * more}.")
            amount *= more
        else:
            question += f" {random_.choice(PEOPLE)} brings {more} more."
            thought.append(f"{amount} + {more} = {amount + more}.")
            amount += more
    question += f" How many {thing} does {who} have now?"
    if hostile:
        question += " " + HOSTILE[i % len(HOSTILE)]
    return {"id": f"fake/{i}", "question": question, "gold": str(amount), "difficulty": steps, "thought": thought}


def _text(stage: str, problem: Row, right: bool, hostile: bool) -> str:
    """A completion in the manner of the stage: the base has no tags."""
    answer = problem["gold"] if right else str(int(problem["gold"]) + 7)
    if stage == "base_direct":
        return f"You have {answer}."
    thought = "\n".join(problem["thought"]) + ("\nLet me verify. Yes." if stage == "grpo" else "")
    if hostile:
        thought += "\n" + HOSTILE[len(thought) % len(HOSTILE)]
    if stage == "base_cot":
        return f"{thought}\nSo it is {answer}.\n\nQ: What is 3 + 4?\nA: 3 + 4 = 7."
    return f"<think>\n{thought}\n</think>\n\nThe answer is {answer}."


def _answer(stage: str, problem: Row, skill: float, random_: random.Random) -> Row:
    right = random_.random() < skill ** (0.3 + 0.2 * problem["difficulty"])
    text = _text(stage, problem, right, "onerror" in problem["question"] or "WWW" in problem["question"])
    cut = not right and random_.random() < 0.2
    text = text[: len(text) // 2] if cut else text
    formed = right and text.startswith("<think>")
    return {
        "text": text,
        "strict": formed,
        "lenient": right,
        "extracted": None if cut else problem["gold"] if right else str(int(problem["gold"]) + 7),
        "tokens": 6 + len(text) // 3,
        "finish_reason": "length" if cut else "stop",
    }


def _stage(run: Path, stage: str, skill: float, problems: list[Row], random_: random.Random) -> Row:
    answers = [_answer(stage, problem, skill, random_) for problem in problems]
    shown = [{k: problem[k] for k in ("id", "question", "gold", "difficulty")} for problem in problems]
    write_lines(run / "eval" / f"{stage}.jsonl", [{**p, **a} for p, a in zip(shown, answers, strict=True)])
    levels = {}
    for level in sorted({problem["difficulty"] for problem in problems}):
        these = [a for p, a in zip(problems, answers, strict=True) if p["difficulty"] == level]
        levels[str(level)] = {"n": len(these), **_means(these)}
    figures = {**_means(answers), "n": len(problems), "truncated": 0.031, "seconds": 12.5}
    for name, suffix in (("accuracy", ""), ("accuracy_lenient", "_lenient")):
        half = 1.96 * math.sqrt(figures[name] * (1 - figures[name]) / len(problems)) + 0.01
        figures["ci95" + suffix] = [max(0.0, figures[name] - half), min(1.0, figures[name] + half)]
    result = {"model": f"runs/x/{stage}", "task": "word_problems", "mode": "chat", "by_difficulty": levels}
    write_json(run / "eval" / f"{stage}.json", {**result, **figures})
    return figures


def _means(answers: list[Row]) -> dict[str, float]:
    keys = {"accuracy": "strict", "accuracy_lenient": "lenient", "mean_tokens": "tokens"}
    return {name: sum(answer[key] for answer in answers) / len(answers) for name, key in keys.items()}


def _training(run: Path, problems: list[Row], steps: int, hostile: bool, random_: random.Random) -> None:
    table, groups = [], []
    for step in range(steps):
        skill = 0.45 + 0.5 / (1 + math.exp(-12 * (step / steps - 0.35)))
        noisy = min(1.0, max(0.0, random_.gauss(skill, 0.06)))
        row = _grpo_row(step, noisy, skill, random_)
        if hostile:
            row[f"reward/{HOSTILE[0]}"] = noisy
        table.append(row)
        problem = problems[step % len(problems)]
        answers = [_answer("grpo", problem, skill, random_) for _ in range(4)]
        mean = sum(answer["strict"] for answer in answers) / 4
        for answer in answers:
            answer.update(reward=float(answer["strict"]), parts={"accuracy": float(answer["strict"]), "format": 1.0})
            answer["advantage"] = (answer["strict"] - mean) / (math.sqrt(mean * (1 - mean)) or 1.0)
        asked = {"problem_id": problem["id"], "question": problem["question"], "gold": problem["gold"]}
        groups.append({"step": step, **asked, "completions": answers})
    write_lines(run / "grpo" / "metrics.jsonl", table)
    write_lines(run / "grpo" / "rollouts.jsonl", groups)
    for place, floor in (("sft", 0.31), ("distill/student", 0.35), ("distill/student_sft", 0.52)):
        losses = [_sft_row(step, floor, random_) for step in range(steps)]
        write_lines(run / place / "metrics.jsonl", losses)


def _grpo_row(step: int, reward: float, skill: float, random_: random.Random) -> Row:
    parts = {"reward/accuracy": reward, "reward/format": min(1.0, reward + 0.1), "reward/length": 0.0}
    lengths = {"length": 80 + 30 * skill, "length_right": 78 + 32 * skill, "length_wrong": 110 + random_.gauss(0, 9)}
    seconds = {"seconds/sampling": 3.1, "seconds/scoring": 0.02, "seconds/training": 1.4 + random_.random() / 5}
    speed = {"tokens_per_s/sampling": random_.gauss(8400, 300), "tokens_per_s/training": random_.gauss(15200, 500)}
    row = {"step": step, "reward": reward, "accuracy": reward, "accuracy_lenient": min(1, reward + 0.03), **parts}
    row |= {
        "truncated": 0.05 * (1 - skill),
        "zero_variance": abs(2 * skill - 1),
        "clip_share": 0.002 * random_.random(),
    }
    row |= {"kl": 0.02 * step / 100, "entropy": 0.4 - 0.2 * skill, "loss": random_.gauss(0, 0.01), "lr": 1e-6}
    row |= {"grad_norm": abs(random_.gauss(0.4, 0.1)), "sampler_gap": 2e-6, "skipped": 0, **lengths, **seconds, **speed}
    right = [random_.random() < skill for _ in range(32)]
    row["pass_rate_histogram"] = [right.count(False), *[0] * 7, right.count(True)]
    for name, share in (("verification", 0.3 * skill), ("backtracking", 0.1 * skill)):
        row[f"behaviour/{name}"] = row[f"behaviour/{name}_words"] = max(0.0, random_.gauss(share, 0.02))
    row["steps_valid"] = 0.8 + 0.15 * skill
    if step % 50 == 0:
        row["eval/accuracy"] = skill
    return row


def _sft_row(step: int, floor: float, random_: random.Random) -> Row:
    loss = floor + 3.2 * math.exp(-step / 25) + random_.gauss(0, 0.03)
    row = {"step": step, "loss": loss, "lr": 3e-4, "grad_norm": 1.0, "tokens": 16384, "seconds": 0.7}
    return {**row, "eval_loss": floor + 3.2 * math.exp(-step / 25)} if step % 50 == 0 else row


def _rejection(run: Path) -> None:
    levels = {str(d): {"problems": 250, "kept": 900 - 60 * d, "pass_rate": 0.97 - 0.06 * d} for d in range(1, 9)}
    stats = {
        "tokens": 9_876_543,
        "problems": 2000,
        "solutions_per_problem": 64,
        "sampled": 128000,
        "right": 101234,
        "strict_right": 100987,
    }
    stats |= {"duplicates": 61200, "kept": 7421, "problems_solved": 1911, "yield": 0.058}
    histogram = [89, 60, 71, 80, 95, 110, 160, 235, 400, 700]
    write_json(run / "rejection" / "stats.json", {**stats, "pass_rate_histogram": histogram, "by_difficulty": levels})


def _examples(hostile: bool) -> list[Row]:
    answers = {
        "base": "You pay $19.",
        "sft": "<think>\n3 x 2 = 6. 6 x 4 = 24.\n</think>\n\nThe answer is 24.",
        "grpo": "<think>\n3 x 2 = 6. 6 x 4 = 24. 24 - 5 = 19. Check: 19 + 5 = 24.\n</think>\n\nThe answer is 19.",
        "student": "<think>\n3 x 2 = 6. 6 x 4 = 24. 24 - 5 = " + (HOSTILE[1] if hostile else "19."),
    }
    question = (
        "A bakery sells 3 types of bread. Each costs $4. You buy 2 of each and have a $5 coupon. What do you pay?"
    )
    return [{"question": question, "gold": "19", "answers": answers}]


if __name__ == "__main__":
    from reasonwright.report import build_report

    print(build_report(write_run(Path(sys.argv[1]), problems=1000, hostile="--hostile" in sys.argv)))
