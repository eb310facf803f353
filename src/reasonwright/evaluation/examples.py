"""The article's own examples, told beside the figures: three questions that every reader can judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reasonwright.chat import ChatFormat, PromptMode
from reasonwright.evaluation.evaluate import evaluate_model
from reasonwright.types import Problem

ARTICLE_EXAMPLES = (
    (
        "A bakery sells 3 types of bread. Each type costs $4. If you buy 2 of each type, and you have a $5 coupon, "
        "how much do you pay?",
        "19",
    ),
    ("What is 15% of 80?", "12"),
    ("What is 17 x 23?", "391"),
)


def answer_examples(models: Iterable[tuple[str, Any, ChatFormat]], max_tokens: int) -> list[dict[str, Any]]:
    """The examples with the answers of all (name, model, chat); the one named "base" is asked for the bare answer."""
    problems = [Problem(f"article/{i}", question, gold) for i, (question, gold) in enumerate(ARTICLE_EXAMPLES)]
    answers: list[dict[str, str]] = [{} for _ in problems]
    for name, model, chat in models:
        mode: PromptMode = "direct" if name == "base" else "chat"
        _, rows = evaluate_model(model, chat, problems, name=name, task="article", max_tokens=max_tokens, mode=mode)
        for answer, row in zip(answers, rows, strict=True):
            answer[name] = row["text"]
    return [{"question": p.question, "gold": p.answer, "answers": a} for p, a in zip(problems, answers, strict=True)]
