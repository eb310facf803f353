"""Ways of writing a solution down: pure functions of the steps and a random number generator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from reasonwright.tasks.word_problems.arithmetic import HIGHEST, Step, calculate, equation

Steps = Sequence[Step]


@dataclass(frozen=True, slots=True)
class Written:
    """A solution as somebody wrote it down."""

    text: str
    """Without tags and without the final sentence; "" where there is no work at all."""
    answer: str
    """What it comes to: the right answer in every style but `wrong`."""


def line(step: Step) -> str:
    """One step as a sentence: "Anna has 12 + 5 = 17 apples."."""
    return step.phrase.replace("@=", terse_line(step))


def terse_line(step: Step) -> str:
    """One step as an equation: "12 + 5 = 17"."""
    return equation(step.left, step.op, step.right, step.result)


def full(steps: Steps, rng: Random) -> Written:
    """Every step a short sentence."""
    return _written(map(line, steps), steps)


def terse(steps: Steps, rng: Random) -> Written:
    """Every step, equations only."""
    return _written(map(terse_line, steps), steps)


def last(steps: Steps, rng: Random) -> Written:
    """Only the last equation; the rest was done in the head."""
    return _written([terse_line(steps[-1])], steps)


def bare(steps: Steps, rng: Random) -> Written:
    """No work, only the claim."""
    return _written([f"So it is {steps[-1].result}."], steps)


def check(steps: Steps, rng: Random) -> Written:
    """Full steps, then one or two of them checked by the inverse operation."""
    chosen = {len(steps) - 1} if rng.random() < 0.5 else set()
    chosen |= {rng.randrange(len(steps))}
    checks = [f"Let me check: {inverse(steps[i])}. Yes, that is correct." for i in sorted(chosen)]
    return _written([*map(line, steps), *checks], steps)


def slip(steps: Steps, rng: Random) -> Written:
    """Full steps with one wrong result, noticed at once and corrected."""
    at = rng.randrange(len(steps))
    lines = [line(step) for step in steps]
    mistaken = replace(steps[at], result=wrong_result(steps[at], rng))
    lines[at] = f"{line(mistaken)}\nWait, {terse_line(steps[at])}, not {mistaken.result}."
    return _written(lines, steps)


def wrong(steps: Steps, rng: Random) -> Written:
    """Full or terse steps with a slip that nobody notices, carried on to a wrong answer."""
    writer = full if rng.random() < 0.7 else terse
    for at in [rng.randrange(len(steps)) for _ in range(8)] + [len(steps) - 1]:
        carried = _carry_on(steps, at, wrong_result(steps[at], rng))
        if carried is not None and carried[-1].result != steps[-1].result:
            return writer(carried, rng)
    raise AssertionError("a slip in the last step always carries to the end")


STYLES: Mapping[str, Callable[[Steps, Random], Written]] = {
    "bare": bare,
    "last": last,
    "terse": terse,
    "full": full,
    "check": check,
    "slip": slip,
    "wrong": wrong,
}


def inverse(step: Step) -> str:
    """The check of a step by the inverse operation: "17 - 5 = 12"."""
    a, op, b, r = step.left, step.op, step.right, step.result
    match op:
        case "+":
            return equation(r, "-", b, a)
        case "-":
            return equation(r, "+", b, a)
        case "x":
            return equation(r, "/", b, a)
        case "/":
            return equation(r, "x", b, a)
        case "%":
            # 75 % has no whole inverse factor: what is missing must be the other quarter
            return (
                equation(r, "x", 100 // a, b)
                if 100 % a == 0
                else f"{equation(b, '-', r, b - r)} and " + equation(100 - a, "%", b, b - r)
            )


def wrong_result(step: Step, rng: Random) -> int:
    """A slip as people make them: one or ten off, one time too many or too few."""
    r = step.result
    slips = {r + 1, r - 1, r + 2, r - 2, r + 10, r - 10}
    if step.op == "x":
        slips |= {r + step.left, r - step.left}
    return rng.choice(sorted(v for v in slips if 2 <= v <= HIGHEST and v != r))


def _carry_on(steps: Steps, at: int, result: int) -> list[Step] | None:
    """The steps after a wrong result in step `at`, faithfully; None where a later value would not be whole."""
    done = list(steps[:at])
    done.append(replace(steps[at], result=result))
    for step in steps[at + 1 :]:
        left = done[step.left_from].result if step.left_from >= 0 else step.left
        right = done[step.right_from].result if step.right_from >= 0 else step.right
        value = calculate(left, step.op, right)
        if value is None or value < 2:
            return None
        done.append(replace(step, left=left, right=right, result=value))
    return done


def _written(lines: Iterable[str], steps: Steps) -> Written:
    return Written("\n".join(lines), str(steps[-1].result))
