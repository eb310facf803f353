"""The three forms of a row of one's own, and what each becomes."""

from __future__ import annotations

from typing import cast, get_args

from reasonwright.chat import ANSWER_MARKER, THINK_CLOSE, THINK_OPEN, parse_completion, render_program
from reasonwright.tasks.rows import Row, RowError, check, number_or_text, optional_text, text
from reasonwright.types import AnswerKind, Problem
from reasonwright.verify import grade
from reasonwright.verify.code import CodeGold

_FORMS = ("question", "prompt", "messages")


def parse_row(row: Row, place: str, *, needs_answer: bool) -> Problem:
    """A row as a problem; raises RowError.

    - `question`, `answer`, and `solution` where there is one (a thought without tags and without the answer sentence)
    - `prompt`, `completion`: texts; the completion is trained on as it is
    - `messages`: one user message, then one of the assistant; the assistant's is trained on as it is

    Each may have an `id` (text or a whole number, its own in the file), an `answer` (text or a number: 1 and "1" are
    the same) and an `answer_kind` ("number" if missing, "text" or "latex"). Where the second and third have no
    `answer`, it is taken from the completion if that says `The answer is N.`; else the row serves SFT alone, with
    answer "". In place of the answer stand, for a program, `function` (its name) and `tests`
    (`[{"args": [2, 3], "returns": 5}]`); the first form may then have the right program as `code`.
    """
    forms = [form for form in _FORMS if row.get(form) is not None]
    if len(forms) != 1:
        had = " and ".join(f"`{form}`" for form in forms) or "none"
        raise RowError(f"a row needs exactly one of `question`, `prompt` and `messages`, this has {had}")
    kind: AnswerKind = "code" if row.get("tests") is not None else _kind(row)
    solution = completion = None
    if forms[0] == "question":
        question, solution = text(row, "question"), _solution(row)
        if kind == "code":  # the thought alone would be no target
            program = optional_text(row, "code")
            solution, completion = None, program and render_program(solution or "", program)
    else:
        question, completion = _messages(row) if forms[0] == "messages" else (text(row, "prompt"), _completion(row))
    answer = _answer(row, kind, completion if forms[0] != "question" else None)
    if answer:
        hint = '; if it is not meant as a number, add "answer_kind": "text"' if kind == "number" else ""
        check(answer, kind, hint)
    elif needs_answer:
        raise RowError("the row has no `answer`, which everything but SFT needs; add the column")
    row_id = number_or_text(row, "id") if row.get("id") is not None else place
    return Problem(f"jsonl/{row_id}", question.strip(), answer, solution, completion, answer_kind=kind)


def _answer(row: Row, kind: AnswerKind, completion: str | None) -> str:
    if kind == "code" and row.get("tests") is not None:
        return CodeGold(text(row, "function"), row["tests"]).to_text()
    if completion is not None and row.get("answer") is None:
        return _extract(completion, kind)
    return number_or_text(row, "answer")


def _kind(row: Row) -> AnswerKind:
    kind = optional_text(row, "answer_kind") or "number"
    if kind not in get_args(AnswerKind):
        raise RowError(f"`answer_kind` is {kind!r}; write one of {', '.join(get_args(AnswerKind))}")
    return cast(AnswerKind, kind)


def _solution(row: Row) -> str | None:
    solution = optional_text(row, "solution")
    if solution and (THINK_OPEN in solution or THINK_CLOSE in solution):
        raise RowError(f"`solution` must be without {THINK_OPEN} tags; use `prompt` and `completion` for a whole text")
    return solution and solution.strip()


def _completion(row: Row) -> str:
    return text(row, "completion")


def _messages(row: Row) -> tuple[str, str]:
    messages = row["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RowError("`messages` must be a list of objects with `role` and `content`")
    roles = [message.get("role") for message in messages]
    if roles != ["user", "assistant"]:
        shown = ", ".join(str(role) for role in roles[:4]) + (", …" if len(roles) > 4 else "")
        raise RowError(
            f"`messages` must be one of user and then one of assistant, not ({shown}); "
            "write a system text at the head of the user's"
        )
    return text(messages[0], "content"), text(messages[1], "content")


def _extract(completion: str, kind: AnswerKind) -> str:
    """The answer that a completion states in so many words, "" where it does not."""
    said = parse_completion(completion).answer_text or ""
    if kind != "number" or ANSWER_MARKER.casefold() not in said.casefold():
        return ""
    return grade(completion, "0").extracted or ""
