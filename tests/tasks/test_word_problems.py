"""The word problems: split, seeds, ranges, language."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from reasonwright.chat import parse_completion, render_completion
from reasonwright.tasks.splits import normalise_question, question_id, split_of
from reasonwright.tasks.word_problems import WORDINGS, LongWordProblems, WordProblems
from reasonwright.tasks.word_problems.arithmetic import NOTES, PERCENTAGES
from reasonwright.tasks.word_problems.vocabulary import BOYS, GIRLS
from reasonwright.types import Problem, UserError

EQUATION = re.compile(r"(\d+)(%? of|\s[-+x/]) (\d+) = (\d+)")
SPLITS = ("pretrain", "sft", "rl", "eval")


@cache
def many(split: str = "rl", count: int = 3000, seed: int = 11) -> tuple[Problem, ...]:
    return tuple(WordProblems().problems(split, count, seed))  # type: ignore[arg-type]


def worked_out(a: int, op: str, b: int) -> float:
    """Arithmetic written anew, so that the package's own is not its judge."""
    match op.strip():
        case "+":
            return a + b
        case "-":
            return a - b
        case "x":
            return a * b
        case "/":
            return a / b
        case "% of":
            return a / 100 * b
    raise AssertionError(op)


def equations(text: str) -> list[tuple[int, str, int, int]]:
    return [(int(a), op.strip(), int(b), int(c)) for a, op, b, c in EQUATION.findall(text)]


def fingerprint(count: int) -> str:
    rows = WordProblems().problems("sft", count, 5)
    return question_id("\n".join(f"{p.id} {p.question} {p.solution} {p.completion} {p.answer}" for p in rows))


def test_every_solution_is_right_and_ends_in_the_answer():
    for problem in [*many(), *LongWordProblems().problems("eval", 300)]:
        steps = equations(problem.solution)
        assert len(steps) == problem.difficulty == len(problem.solution.split("\n"))
        for a, op, b, result in steps:
            assert worked_out(a, op, b) == pytest.approx(result), problem.solution
        assert str(steps[-1][3]) == problem.answer


def test_every_operand_comes_from_the_question_or_an_earlier_step():
    words = {"half": 2, "twice": 2, "third": 3, "quarter": 4, "fifth": 5}
    for problem in many():
        known = {int(n) for n in re.findall(r"\d+", problem.question)}
        known |= {n for word, n in words.items() if word in problem.question.lower()}
        for a, _, b, result in equations(problem.solution):
            assert {a, b} <= known, (problem.question, problem.solution)
            known.add(result)


def test_numbers_stay_in_their_ranges():
    large = 0
    for problem in [*many(), *LongWordProblems().problems("eval", 300)]:
        for a, op, b, result in equations(problem.solution):
            assert 2 <= a <= 999
            assert 2 <= b <= 999
            assert 2 <= result <= 999
            large += result > 300
            assert op not in ("x", "/") or b <= 10
            assert op != "% of" or a in PERCENTAGES
        shown = [int(n) for n in re.findall(r"\d+", problem.question)]
        assert all(n <= 300 or n in NOTES for n in shown)
    assert large < 1000  # of some 15,000


def test_answer_seldom_stands_in_the_question():
    problems = many()
    assert sum(p.answer in re.findall(r"\d+", p.question) for p in problems) < 0.01 * len(problems)
    assert Counter(p.answer for p in problems).most_common(1)[0][1] < 0.03 * len(problems)


def test_difficulty_is_uniform():
    counts = Counter(p.difficulty for p in many())
    assert sorted(counts) == list(range(1, 9))
    expected = len(many()) / 8
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 24.3  # chi-square, 7 degrees, p 0.001
    assert {p.difficulty for p in LongWordProblems().problems("eval", 100)} == {9, 10, 11, 12}


def test_same_seed_same_bytes_in_another_process():
    code = "from test_word_problems import fingerprint; print(fingerprint(200))"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": path}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == fingerprint(200)
    assert WordProblems().problems("rl", 50, 1) != WordProblems().problems("rl", 50, 2)
    assert WordProblems().problems("rl", 50, 1) == WordProblems().problems("rl", 80, 1)[:50]


def test_splits_share_no_question():
    seen: dict[str, str] = {}
    for split in SPLITS:
        for seed in (0, 1):
            problems = many(split, 1000, seed)
            assert len({p.id for p in problems}) == len({normalise_question(p.question) for p in problems}) == 1000
            for problem in problems:
                assert seen.setdefault(normalise_question(problem.question), split) == split
                assert problem.id == f"word_problems/{question_id(problem.question)}"
                assert split_of(problem.question) == split


def test_splits_are_alike():
    """Filling a small split must not prefer stories of one kind."""
    for word in ("tank", "years old", "people", "$", "bakery", "pages", "had a book", "together"):
        shares = [sum(word in p.question for p in many(split, 1000, 0)) / 1000 for split in ("pretrain", "eval")]
        assert abs(shares[0] - shares[1]) < 0.06, word


def test_normalisation_ignores_case_punctuation_and_space():
    assert question_id("How many  apples,\nAnna?") == question_id("how many apples anna")
    assert question_id("How many apples?") != question_id("How many pears?")


def test_split_of_a_question_never_changes():
    """A shipped model was pretrained on one split; moving a question to another would leak it."""
    questions = [f"How many apples are {n} apples?" for n in range(8)]
    assert [split_of(q) for q in questions] == [
        "pretrain",
        "pretrain",
        "rl",
        "pretrain",
        "rl",
        "pretrain",
        "pretrain",
        "eval",
    ]


def test_gold_answers_have_the_form():
    for problem in many("sft", 500, 0):
        text = render_completion(problem.solution, problem.answer)
        assert parse_completion(text).has_think_form
        assert text.endswith(f"\n\nThe answer is {problem.answer}.")


def test_wordings_really_occur():
    assert len(set(WORDINGS)) >= 60
    text = "\n".join(p.question for p in many("pretrain", 5000, 3))
    found = [w for w in set(WORDINGS) if re.search(re.sub(r"\\\{\w+\\\}", r"[^.\\n]+?", re.escape(w)), text, re.I)]
    assert len(found) >= 60
    assert len(found) > 0.95 * len(set(WORDINGS))


def test_language():
    wrong = re.compile(
        r"[{}@\ue000-\uf8ff]|None|\ba [aeiou]|\ban (?!hour|old)[^aeiou]|(?<![\d-])1 [a-z]+s\b"
        r"|  |\.\.|(?:^|[.?] )[a-z]|[^.?]$"
        r"|\b(?:They|they) (?:has|gets|does)\b|\b(?:She|He|he|she|It|it) have\b|does they|do (?:she|he)\b|\b(\w+) \1\b"
    )
    for problem in [*many(), *LongWordProblems().problems("eval", 300)]:
        for text in (problem.question, *problem.solution.split("\n")):
            assert not wrong.search(text), (wrong.search(text), text)
        assert problem.question.count("?") == 1


def test_pronouns_fit_the_names():
    alone = 0
    for problem in many():
        people = {name for name in GIRLS + BOYS if re.search(rf"\b{name}\b", problem.question)}
        if len(people) != 1:
            continue
        alone += 1
        others = r"\b(he|his|him|they|their)\b" if people < set(GIRLS) else r"\b(she|her|they|their)\b"
        assert not re.search(others, problem.question, re.I), problem.question
    assert alone > 800


MEANINGS = {
    r"bought (\d+) more": "+",
    r"earned \$(\d+) by": "+",
    r"added (\d+) liters\.": "+",
    r"(\d+) people got on\.": "+",
    r"(?<!now )had (\d+) more \w+ than \w+\. How many \w+ does": "+",
    r"lost (\d+) ": "-",
    r"spent \$(\d+) on": "-",
    r"coupon for \$(\d+) off": "-",
    r"read (\d+) pages in": "-",
    r"had (\d+) fewer": "-",
    r"is (\d+) years younger than \w+\. How old is \w+\?": "-",
    r"(\d+) times as many": "x",
    r"for \$(\d+) each\. How much money": "x",
    r"boxes of (\d+)": "/",
    r"among (\d+) (?:friends|children)": "/",
    r"only (\d+)% of": "% of",
}


def test_the_text_means_what_is_calculated():
    """One-step problems, read by someone else: which word asks for which operation."""
    seen = set()
    for problem in WordProblems(1, 1).problems("rl", 2500, 0):
        for pattern, op in MEANINGS.items():
            found = re.search(pattern, problem.question)
            if found and "years younger than" in pattern:
                younger = re.search(r"(\w+) is \d+ years younger", problem.question)[1]
                op = "-" if f"How old is {younger}?" in problem.question else "+"
            if found:
                seen.add(pattern)
                ((left, used, right, _),) = equations(problem.solution)
                assert used == op, problem.question
                assert int(found[1]) in (left, right)
    assert seen == set(MEANINGS)


def test_lengths():
    words = {d: [len(p.question.split()) for p in many() if p.difficulty == d] for d in (1, 8)}
    assert sum(words[1]) / len(words[1]) < 25
    assert max(words[8]) < 120


def test_vocabulary_is_moderate():
    words = {w for p in many() for w in re.findall(r"[a-z]+", (p.question + p.solution).lower())}
    assert 250 < len(words) < 600


def test_distractors():
    marks = re.compile(
        r"degrees outside|street had|day was number|years ago\. |house number|rooms\.|trees|ducks|windows\."
    )
    share = sum(bool(marks.search(p.question)) for p in many()) / len(many())
    assert 0.08 < share < 0.2


@pytest.mark.parametrize(
    "call",
    [
        lambda: WordProblems().problems("test", 5),  # type: ignore[arg-type]
        lambda: WordProblems().problems("rl"),
        lambda: LongWordProblems().problems("rl", 5),
        lambda: WordProblems(0, 3),
        lambda: WordProblems(5, 3),
        lambda: WordProblems(sft_style="some"),  # type: ignore[arg-type]
    ],
)
def test_mistakes_are_told(call):
    with pytest.raises(UserError):
        call()
