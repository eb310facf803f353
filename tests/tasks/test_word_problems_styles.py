"""The ways of writing a solution down, and the SFT rows."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from random import Random

import pytest

from reasonwright.chat import parse_completion
from reasonwright.tasks.word_problems import SFT_STYLES, WordProblems, styles
from reasonwright.tasks.word_problems.arithmetic import Step
from reasonwright.tasks.word_problems.task import draw_questions

EQUATION = re.compile(r"(\d+)(%? of|\s[-+x/]) (\d+) = (\d+)")


@cache
def samples() -> list[list[Step]]:
    questions = draw_questions(Random("styles"), "pretrain", 1, 8)
    return [next(questions)[2] for _ in range(600)]


def true(a: str, op: str, b: str, c: str) -> bool:
    left, right, result = int(a), int(b), int(c)
    return {
        "+": left + right == result,
        "-": left - right == result,
        "x": left * right == result,
        "/": left == result * right,
        "% of": left * right == result * 100,
    }[op.strip()]


def truths(text: str) -> list[bool]:
    return [true(*found) for found in EQUATION.findall(text)]


@pytest.mark.parametrize("style", list(styles.STYLES))
def test_deterministic_and_well_formed(style):
    for i, steps in enumerate(samples()):
        one, two = (styles.STYLES[style](steps, Random(i)) for _ in range(2))
        assert one == two
        assert "@" not in one.text
        assert "\n\n" not in one.text
        assert one.text == one.text.strip() != ""
        assert (one.answer == str(steps[-1].result)) == (style != "wrong")


def test_full_terse_last_bare():
    for steps in samples():
        rng = Random(0)
        assert truths(styles.full(steps, rng).text) == [True] * len(steps)
        terse = styles.terse(steps, rng).text.split("\n")
        assert len(terse) == len(steps)
        assert all(EQUATION.fullmatch(line) for line in terse)
        assert styles.last(steps, rng).text == terse[-1]
        assert styles.bare(steps, rng).text == f"So it is {steps[-1].result}."


def test_checks_are_valid_and_inverse():
    for i, steps in enumerate(samples()):
        text = styles.check(steps, Random(i)).text
        lines = text.split("\n")
        checks = [line for line in lines if line.startswith("Let me check: ")]
        assert 1 <= len(checks) <= 2
        assert lines == [*map(styles.line, steps), *checks]
        assert all(truths(text))
        for line in checks:
            assert line.endswith(". Yes, that is correct.")
            numbers = set(re.findall(r"\d+", line))
            assert any({str(s.result), str(s.right if s.op == "%" else s.left)} <= numbers for s in steps)


def test_slip_is_wrong_then_corrected():
    for i, steps in enumerate(samples()):
        text = styles.slip(steps, Random(i)).text
        assert truths(text).count(False) == 1
        lines = text.split("\n")
        at = next(n for n, line in enumerate(lines) if line.startswith("Wait, "))
        mistaken, right = EQUATION.search(lines[at - 1]), EQUATION.search(lines[at])
        assert mistaken
        assert right
        assert not true(*mistaken.groups())
        assert true(*right.groups())
        assert mistaken.groups()[:3] == right.groups()[:3]
        assert lines[at].endswith(f", not {mistaken[4]}.")
        full = styles.full(steps, Random(0)).text.split("\n")
        assert lines[: at - 1] + lines[at + 1 :] == full[: at - 1] + full[at:]  # goes on with the right value


def test_wrong_is_carried_on_faithfully():
    for i, steps in enumerate(samples()):
        written = styles.wrong(steps, Random(i))
        found = truths(written.text)
        assert len(found) == len(steps)
        assert found.count(False) == 1  # one slip; what follows from it is calculated rightly
        assert written.answer != str(steps[-1].result)
        assert EQUATION.findall(written.text)[-1][3] == written.answer
        assert "Wait" not in written.text
        results = [int(c) for *_, c in EQUATION.findall(written.text)]
        for step, (left, _, right, _) in zip(steps, EQUATION.findall(written.text), strict=True):
            assert int(left) == (step.left if step.left_from < 0 else results[step.left_from])
            assert int(right) == (step.right if step.right_from < 0 else results[step.right_from])


def test_sft_rows_are_mixed_by_the_documented_shares():
    rows = WordProblems().problems("sft", 2000, 4)
    assert sum(SFT_STYLES.values()) == pytest.approx(1)
    counts = Counter(row.metadata["style"] for row in rows)
    for style, share in SFT_STYLES.items():
        assert abs(counts[style] / 2000 - share) < 0.035, style
    for row in rows:
        parsed = parse_completion(row.completion)
        assert parsed.has_think_form
        given = re.fullmatch(r"\s*The answer is (\d+)\.", parsed.answer_text)[1]
        assert (given == row.answer) == (row.metadata["style"] != "wrong")


def test_clean_rows_are_the_same_questions_all_right():
    mixed, clean = (WordProblems(sft_style=style).problems("sft", 300, 4) for style in ("mixed", "full"))
    assert [p.question for p in mixed] == [p.question for p in clean]
    for row in clean:
        assert parse_completion(row.completion).thought == row.solution
        assert row.completion.endswith(f"The answer is {row.answer}.")


def test_other_splits_carry_no_completion():
    assert all(p.completion is None for split in ("pretrain", "rl", "eval") for p in WordProblems().problems(split, 20))
