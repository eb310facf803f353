"""The same problems answered by each stage, side by side (the article's figure 1 on the run's own models)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonwright.chat import parse_completion
from reasonwright.report.read import Row, as_dict, as_list, number, read_json, rows
from reasonwright.report.stages import name_of

COLUMNS = (("base_direct", "base_cot"), ("sft",), ("grpo",), ("student", "student_sft"))
"""Of each group the first stage that was evaluated is a column."""
SHOWN = 6
LONGEST = 1500
"""Characters of one text that are shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One completion, cut into what the page dims and what it sets bold."""

    label: str
    style: str
    thought: str
    answer: str
    plain: str
    """The whole text as it is, where it does not have the form."""
    verdict: str = ""
    """ "right", "form" (right, but not in the form), "wrong", or "" where nobody judged it."""
    extracted: str = ""
    tokens: float | None = None
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One problem with every column's answer."""

    question: str
    gold: str
    difficulty: float | None
    why: str
    """Why it is shown: "made right by GRPO"."""
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Answers:
    cases: list[Case]
    counts: list[tuple[str, int]]
    """How many problems of the evaluation set each reason covers."""
    total: int


@dataclass(frozen=True, slots=True)
class _Kind:
    why: str
    holds: Callable[[Mapping[str, bool]], bool]


def split(row: Row, label: str = "", style: str = "") -> Answer:
    """A row of an evaluation or of a group as the page shows it."""
    text = as_text(row.get("text"))
    parsed = parse_completion(text)
    formed = parsed.has_think_form and parsed.answer_text is not None
    verdict = ""
    if "strict" in row or "lenient" in row:
        verdict = "right" if row.get("strict") is True else "form" if row.get("lenient") is True else "wrong"
    return Answer(
        label=label,
        style=style,
        thought=clip(parsed.thought or "") if formed else "",
        answer=clip((parsed.answer_text or "").strip()) if formed else "",
        plain="" if formed else clip(text.strip()),
        verdict=verdict,
        extracted=clip(as_text(row.get("extracted")), 80),
        tokens=number(row.get("tokens")),
        cut_off=row.get("finish_reason") == "length",
    )


def load_answers(run: Path) -> Answers:
    """A few telling problems, chosen by a fixed rule, and how many there are of each kind."""
    columns = _columns(run)
    if not columns:
        return Answers([], [], 0)
    first = next(iter(columns.values()))
    shared = [key for key in first if all(key in column for column in columns.values())]
    right = {key: {stage: column[key].get("lenient") is True for stage, column in columns.items()} for key in shared}
    kinds = _kinds(list(columns))
    counts = [(kind.why, sum(kind.holds(right[key]) for key in shared)) for kind in kinds]
    chosen = _choose(shared, {key: number(first[key].get("difficulty")) or 0.0 for key in shared}, right, kinds)
    cases = [_case(columns, key, why) for key, why in chosen]
    return Answers(cases, counts, len(shared))


def load_examples(run: Path) -> list[Case]:
    """The article's own examples, which have no judge."""
    cases = []
    for example in as_list(read_json(run / "eval" / "examples.json")):
        row = as_dict(example)
        texts = as_dict(row.get("answers"))
        answers = [split({"text": text}, *_example_name(key)) for key, text in texts.items()]
        if answers:
            cases.append(Case(clip(as_text(row.get("question"))), as_text(row.get("gold")), None, "", answers))
    return cases


def as_text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def clip(text: str, longest: int = LONGEST) -> str:
    """The text, or its start and how much is left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest].rstrip()} … [{len(text) - longest:,} more characters]"


def _columns(run: Path) -> dict[str, dict[str, Row]]:
    """Stage -> problem id -> row."""
    columns: dict[str, dict[str, Row]] = {}
    for group in COLUMNS:
        for stage in group:
            found = {as_text(row.get("id")): row for row in rows(run / "eval" / f"{stage}.jsonl")}
            if found:
                columns[stage] = found
                break
    return columns


def _kinds(stages: list[str]) -> list[_Kind]:
    """What may be said of a problem, the most telling first."""
    first = stages[0]
    main = "grpo" if "grpo" in stages else stages[-1]
    kinds = []
    if "sft" in stages and main == "grpo":
        kinds.append(_Kind("made right by GRPO", lambda right: not right["sft"] and right["grpo"]))
        kinds.append(_Kind("made wrong by GRPO", lambda right: right["sft"] and not right["grpo"]))
    kinds.append(_Kind(f"still wrong after {name_of(main)[0]}", lambda right: not right[main] and not right[first]))
    if first != main:
        made = f"wrong for the base, right after {name_of(main)[0]}"
        kinds.append(_Kind(made, lambda right: not right[first] and right[main]))
    student = next((stage for stage in stages if stage.startswith("student")), None)
    if student and main == "grpo":
        kinds.append(_Kind("the student does not follow", lambda right: right["grpo"] and not right[student]))
    kinds.append(_Kind("right in every column", lambda right: all(right.values())))
    return kinds


def _choose(
    keys: Sequence[str], difficulty: Mapping[str, float], right: Mapping[str, Mapping[str, bool]], kinds: list[_Kind]
) -> list[tuple[str, str]]:
    """One problem of each kind in turn until there are enough, spread over the difficulties, easy ones first."""
    chosen: dict[str, str] = {}
    low, high = min(difficulty.values(), default=0.0), max(difficulty.values(), default=0.0)
    for turn in range(SHOWN):
        for i, kind in enumerate(kinds):
            pool = [key for key in keys if key not in chosen and kind.holds(right[key])]
            if not pool or len(chosen) == SHOWN:
                continue
            aim = low + (high - low) * ((0.7 + 0.38 * (turn * len(kinds) + i)) % 1.0)
            seen = [difficulty[key] for key in chosen]
            best = min(pool, key=lambda key: abs(difficulty[key] - aim) + seen.count(difficulty[key]))
            chosen[best] = kind.why
    return sorted(chosen.items(), key=lambda item: difficulty[item[0]])


def _case(columns: Mapping[str, Mapping[str, Row]], key: str, why: str) -> Case:
    row = next(iter(columns.values()))[key]
    answers = [split(column[key], *name_of(stage)) for stage, column in columns.items()]
    question, gold = clip(as_text(row.get("question"))), clip(as_text(row.get("gold")), 80)
    return Case(question, gold, number(row.get("difficulty")), why, answers)


def _example_name(key: str) -> tuple[str, str]:
    return ("Base", "c0") if key == "base" else name_of(key)
