"""The chat template's round trip, in tokens: what goes in comes out, and a turn can end."""

from __future__ import annotations

from collections.abc import Sequence

from reasonwright.chat import ChatFormat, render_completion
from reasonwright.types import Problem

ANSWER = "an answer"


def template_faults(chat: ChatFormat, problems: Sequence[Problem], vocabulary: int | None = None) -> list[str]:
    """What is wrong, a phrase each; [] where all is well.

    `vocabulary` is the number of the model's embeddings, where the model is at hand: an end-of-turn token beyond them
    could never be sampled.
    """
    faults = []
    for problem in problems:
        prompt = chat.decode(chat.prompt(problem.question).ids)
        if _words(problem.question) not in _words(prompt):
            faults.append(f"the prompt of {problem.id} does not hold its question")
        text = render_completion(problem.solution or "", problem.answer)
        written = chat.decode(chat.completion_ids(text))
        if written.strip() != text:
            faults.append(f"the target text of {problem.id} is not what its tokens decode to")
    end = str(chat.tokenizer.convert_ids_to_tokens(chat.end_id))
    messages = [{"role": "user", "content": "a question"}, {"role": "assistant", "content": ANSWER}]
    _, found, after = str(chat.tokenizer.apply_chat_template(messages, tokenize=False)).rpartition(ANSWER)
    if not found:
        faults.append("the template drops the assistant's message")
    elif not after.lstrip().startswith(end):
        faults.append(
            f"the template puts no end of turn behind an answer ({end} would be trained, and nothing asks for it)"
        )
    if vocabulary is not None and chat.end_id >= vocabulary:
        faults.append(f"the end of turn {end} is token {chat.end_id}, but the model has {vocabulary}")
    return faults


def _words(text: str) -> str:
    return " ".join(text.split())
