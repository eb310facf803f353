"""The pretraining corpus."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import islice

import pytest

from reasonwright.tasks.splits import split_of
from reasonwright.tasks.word_problems.arithmetic import PERCENTAGES
from reasonwright.tasks.word_problems.corpus import ANSWER_STYLES, KINDS, PARTS, documents

EQUATION = re.compile(r"(\d+)(%? of|\s[-+x/]) (\d+) = (\d+)")
PAIR = re.compile(r"Question: (.+)\nAnswer: ((?:.+\n)*?)The answer is (\d+)\.")


@cache
def corpus() -> tuple[str, ...]:
    return tuple(islice(documents(7), 6000))


def pairs(document: str) -> list[tuple[str, str, str]]:
    found = [PAIR.fullmatch(part) for part in document.split("\n\n")]
    assert all(found), document
    return [m.groups() for m in found if m]


def test_deterministic_fresh_and_sharded():
    assert list(islice(documents(7), 100)) == list(corpus()[:100])
    assert len(set(corpus())) > 0.999 * len(corpus())  # a question of one step may come again
    assert len(set(corpus()) & set(islice(documents(7, shard=1), 1000))) <= 1
    assert len(set(corpus()) & set(islice(documents(8), 1000))) <= 1


def test_the_later_parts_hold_more_problems_about_ages():
    def of_ages(part):
        texts = [t for t in islice(documents(0, 7, part), 1000) if "How " in t or "What " in t]
        return sum("years old" in t or " turned " in t for t in texts) / 1000

    shares = [of_ages(part) for part in PARTS]
    assert list(PARTS) == ["all", "ages", "older"]
    assert shares[0] < 0.15
    for part, share in zip(("ages", "older"), shares[1:], strict=True):
        assert PARTS[part][part] < share < PARTS[part][part] + 0.12
    assert all(abs(sum(kinds.values()) - 1) < 1e-9 for kinds in PARTS.values())


def test_no_tags_and_only_pretraining_questions():
    for document in corpus():
        assert "think>" not in document
        assert not re.search(r"[{}@\ue000-\uf8ff]|None", document)
        assert len(document.split()) <= 260
        if document.startswith("Question"):
            assert {split_of(q) for q, _, _ in pairs(document)} == {"pretrain"}


def test_drills_are_true_and_in_range():
    drills = [d for d in corpus() if not d.startswith("Question")]
    assert abs(len(drills) / len(corpus()) - KINDS["drill"]) < 0.03
    operations: Counter[str] = Counter()
    for line in "\n".join(drills).split("\n"):
        found = EQUATION.findall(line)
        assert found, line
        for a, op, b, c in found:
            left, right, result, op = int(a), int(b), int(c), op.strip()
            operations[op] += 1
            assert {
                "+": left + right == result,
                "-": left - right == result,
                "x": left * right == result,
                "/": left == result * right,
                "% of": left * right == result * 100,
            }[op], line
            assert max(left, right, result) <= 999
            assert op not in ("x", "/") or right <= 10
            assert op != "% of" or left in PERCENTAGES
    assert min(operations.values()) > 0.12 * operations.total()


def test_answers_and_their_shares():
    counts: Counter[str] = Counter()
    steps: Counter[int] = Counter()
    announced = total = 0
    singles = [d for d in corpus() if d.startswith("Question") and "\n\n" not in d]
    several = [d for d in corpus() if "\n\n" in d]
    assert abs(len(several) / len(corpus()) - KINDS["several"]) < 0.02
    for document in singles:
        ((_, work, answer),) = pairs(document)
        lines = work.removeprefix("Let's think step by step.\n").split("\n")[:-1]
        if lines and not lines[-1].startswith("Let me check"):
            assert EQUATION.findall(lines[-1])[-1][3] == answer
        wordy = [line for line in lines if not EQUATION.fullmatch(line)]
        style = "bare" if not lines else "check" if "Let me check" in work else "slip" if "Wait," in work else None
        style = style or ("full" if wordy else "terse or last")
        counts[style] += 1
        if style in ("full", "check", "slip"):
            total, announced = total + 1, announced + work.startswith("Let's think")
        else:
            assert "Let's think" not in work
        if style == "full":
            steps[len(lines)] += 1
    of_problems = KINDS["problem"] / (KINDS["problem"] + KINDS["head"])
    for style in ("bare", "full", "check", "slip"):
        share = of_problems * ANSWER_STYLES[style] + (1 - of_problems if style == "bare" else 0)
        assert counts[style] / len(singles) == pytest.approx(share, abs=0.03)
    assert announced / total == pytest.approx(0.5, abs=0.05)
    assert sorted(steps) == list(range(1, 9))
    assert min(steps.values()) > 0.6 * max(steps.values())
