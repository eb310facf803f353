"""Drills of arithmetic: documents of a few facts, within the ranges that the word problems use."""

from __future__ import annotations

from random import Random

from reasonwright.tasks.word_problems.arithmetic import (
    HIGHEST,
    LOWEST,
    PERCENTAGES,
    USUAL_HIGHEST,
    USUAL_SHARE,
    Op,
    Step,
    draw,
)
from reasonwright.tasks.word_problems.styles import inverse, terse_line
from reasonwright.tasks.word_problems.vocabulary import FRACTIONS, multiple

OPERATIONS: tuple[Op, ...] = ("+", "-", "x", "/", "%")
CHECK_SHARE = 0.15
"""Share of facts that are followed by their inverse."""
IN_WORDS_SHARE = 0.3
"""Share of the facts with a fraction or a multiple that begin with it in words."""


def fact(rng: Random, op: Op) -> Step:
    """One true equation."""
    cap = USUAL_HIGHEST if rng.random() < USUAL_SHARE else HIGHEST
    match op:
        case "+":
            b = draw(rng, 2, 99)
            a = draw(rng, LOWEST, cap - b)
            a, b = (b, a) if rng.random() < 0.25 else (a, b)  # the sum of two people: either may be the larger
            return Step(a, op, b, a + b, "")
        case "-":
            b = draw(rng, 2, 99)
            r = draw(rng, LOWEST, cap - b)
            b, r = (r, b) if rng.random() < 0.15 else (b, r)
            return Step(r + b, op, b, r, "")
        case "x":
            b = draw(rng, 2, 9)
            a = draw(rng, 2, cap // b)
            return Step(a, op, b, a * b, "")
        case "/":
            b = draw(rng, 2, 10)
            r = draw(rng, 2, cap // b)
            return Step(r * b, op, b, r, "")
        case "%":
            p = rng.choice(PERCENTAGES)
            unit = {10: 10, 20: 5, 25: 4, 50: 2, 75: 4}[p]
            n = unit * draw(rng, 2, cap // unit)
            return Step(p, op, n, n * p // 100, "")


def drill(rng: Random) -> str:
    """A document of 4 to 12 facts, one a line, of one operation or of all."""
    operations = (rng.choice(OPERATIONS),) if rng.random() < 0.5 else OPERATIONS
    return "\n".join(_line(rng, fact(rng, rng.choice(operations))) for _ in range(rng.randint(4, 12)))


def _line(rng: Random, step: Step) -> str:
    text = terse_line(step)
    if rng.random() < CHECK_SHARE:
        return f"{text}. Check: {inverse(step)}."
    if rng.random() < IN_WORDS_SHARE:
        if step.op == "/" and step.right in FRACTIONS:
            return f"{FRACTIONS[step.right]} of {step.left}: {text}".capitalize()
        if step.op == "x":
            return f"{multiple(step.right)} {step.left}: {text}".capitalize()
    return text
