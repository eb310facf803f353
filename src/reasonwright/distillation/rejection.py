"""Sample many solutions of each problem, keep the right ones.

1. Generate: `solutions_per_problem` solutions of each problem, into a file that can be gone on with.
2. Filter: keep those whose answer is right *and* whose form is strict; drop duplicates; cap per problem; balance.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reasonwright.chat import ChatFormat
from reasonwright.display import Bar
from reasonwright.distillation.settings import RejectionSettings
from reasonwright.runlog import append_jsonl, read_jsonl, sync, write_json, write_jsonl
from reasonwright.sampling import Sampler, SampleRequest, SamplingParams
from reasonwright.stopping import Stopped
from reasonwright.types import Problem, UserError
from reasonwright.verify import grade

Row = dict[str, Any]


def rejection_sample(
    sampler: Sampler,
    chat: ChatFormat,
    problems: Sequence[Problem],
    settings: RejectionSettings,
    *,
    seed: int,
    folder: Path,
    stop: Callable[[], bool] = lambda: False,
) -> list[Problem]:
    """Both steps: writes solutions.jsonl, kept.jsonl and stats.json in `folder`; the kept solutions as SFT rows.

    Raises UserError where no solution is kept, Stopped behind the chunk in which `stop()` said to stop.
    """
    rows = sample_solutions(sampler, chat, problems, settings, seed=seed, file=folder / "solutions.jsonl", stop=stop)
    kept = select(rows, settings)
    write_json(folder / "stats.json", statistics_of(rows, kept, settings))
    write_jsonl(folder / "kept.jsonl", kept)
    if not kept:
        raise UserError(
            f"rejection sampling kept none of {len(rows)} solutions: none was right in the strict form "
            f"({sum(r['lenient'] for r in rows)} were right in any form); train the model longer before this stage"
        )
    return kept_problems(kept)


def kept_problems(kept: Sequence[Row]) -> list[Problem]:
    """Rows of kept.jsonl as SFT rows."""
    return [
        Problem(
            id=f"{row['id']}#{row['index']}",
            question=row["question"],
            answer=row["gold"],
            completion=row["text"],
            difficulty=row["difficulty"],
            answer_kind=row["answer_kind"],
        )
        for row in kept
    ]


def sample_solutions(
    sampler: Sampler,
    chat: ChatFormat,
    problems: Sequence[Problem],
    settings: RejectionSettings,
    *,
    seed: int,
    file: Path,
    stop: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """A row for each solution of each problem, in order; goes on behind the whole chunks that `file` already has."""
    n = settings.solutions_per_problem
    params = SamplingParams(n, settings.max_tokens, settings.temperature, settings.top_p, seed=seed)
    rows = read_jsonl(file)
    expected = [(problem.id, index) for problem in problems for index in range(n)]
    fits = [(row["id"], row["index"]) == name for row, name in zip(rows, expected, strict=False)]
    done = [*fits, False].index(False) // n
    if done < len(problems):
        done -= done % settings.problems_per_chunk
    rows = rows[: done * n]
    write_jsonl(file, rows)  # without what was cut in the middle of a chunk, or is of other problems
    with Bar("rejection sampling", len(problems), done) as bar:
        for start in range(done, len(problems), settings.problems_per_chunk):
            chunk = problems[start : start + settings.problems_per_chunk]
            requests = [SampleRequest(chat.prompt(p.question).ids, p.id) for p in chunk]
            new = [
                _row(problem, index, completion)
                for problem, completions in zip(chunk, sampler.sample(requests, params), strict=True)
                for index, completion in enumerate(completions)
            ]
            append_jsonl(file, new)
            sync(file)
            rows += new
            bar.advance(len(chunk), right=statistics.fmean(row["strict"] for row in new))
            if stop():
                raise Stopped
    return rows


def _row(problem: Problem, index: int, completion: Any) -> Row:
    verdict = grade(completion.text, problem.answer, problem.answer_kind)
    return {
        "id": problem.id,
        "index": index,
        "question": problem.question,
        "gold": problem.answer,
        "answer_kind": problem.answer_kind,
        "difficulty": problem.difficulty,
        "text": completion.text,
        "tokens": len(completion.token_ids),
        # an answer that was cut off before the model ended its turn would teach the student not to end
        "strict": verdict.strict and completion.finish_reason == "stop",
        "lenient": verdict.lenient,
    }


def select(rows: Sequence[Row], settings: RejectionSettings) -> list[Row]:
    """The solutions to learn from: right and strict, different, at most `cap_per_problem` a problem, balanced."""
    by_problem: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["strict"]:
            by_problem[row["id"]].setdefault(
                " ".join(row["text"].split()), row
            )  # white space alone makes no difference
    kept = [row for texts in by_problem.values() for row in list(texts.values())[: settings.cap_per_problem]]
    return _balance(kept) if settings.balance else kept


def _balance(kept: list[Row]) -> list[Row]:
    """At most the median count of each difficulty, taken evenly over the problems: first solutions before second."""
    counts = Counter(row["difficulty"] for row in kept)
    limit = int(statistics.median_high(counts.values())) if counts else 0
    nth: Counter[str] = Counter()
    ranked = []
    for row in kept:
        ranked.append((nth[row["id"]], row))
        nth[row["id"]] += 1
    taken: Counter[Any] = Counter()
    chosen = set()
    for _, row in sorted(ranked, key=lambda pair: pair[0]):  # stable: problems keep their order
        if taken[row["difficulty"]] < limit:
            taken[row["difficulty"]] += 1
            chosen.add((row["id"], row["index"]))
    return [row for row in kept if (row["id"], row["index"]) in chosen]


def statistics_of(rows: Sequence[Row], kept: Sequence[Row], settings: RejectionSettings) -> dict[str, Any]:
    """The yield: how many were right, different, kept; pass rates of problems in ten bins and by difficulty."""
    strict = [row for row in rows if row["strict"]]
    rates: dict[str, list[bool]] = defaultdict(list)
    difficulty: dict[str, Any] = {}
    for row in rows:
        rates[row["id"]].append(row["strict"])
        difficulty[row["id"]] = row["difficulty"]
    histogram = [0] * 10
    by: dict[str, list[float]] = defaultdict(list)
    for id_, verdicts in rates.items():
        rate = statistics.fmean(verdicts)
        histogram[min(9, int(rate * 10))] += 1
        by[str(difficulty[id_])].append(rate)
    kept_by = Counter(str(row["difficulty"]) for row in kept)
    distinct = len({(row["id"], " ".join(row["text"].split())) for row in strict})
    return {
        "problems": len(rates),
        "solutions_per_problem": settings.solutions_per_problem,
        "sampled": len(rows),
        "tokens": sum(row["tokens"] for row in rows),
        "right": sum(row["lenient"] for row in rows),
        "strict_right": len(strict),
        "duplicates": len(strict) - distinct,
        "kept": len(kept),
        "problems_solved": sum(any(v) for v in rates.values()),
        "yield": len(kept) / max(1, len(rows)),
        "pass_rate_histogram": histogram,
        "by_difficulty": {
            d: {"problems": len(r), "kept": kept_by[d], "pass_rate": statistics.fmean(r)} for d, r in sorted(by.items())
        },
    }
