"""What a thought does beyond calculating forward, read from its equations: checking and taking back.

- *Checked*: an equation that states an earlier one again (in another order, by the inverse operation, by the rest of a
  percentage), or that arrives by another way at the final answer, and that leads nowhere new. The same numbers for
  another purpose are no check: their result is used again. Nor is the same equation twice in a row, or a third time.
  A check that fails and is followed by another result is counted as taken back.
- *Withdrawn*: an equation whose left side comes again with another result, at once, or later where its own result is
  used no more. Or one whose result is never used and that is followed at once by nearly the same equation, with a word
  such as "no" between them: without the word, this shape alone was found in some 90 of GSM8K's 5,276 example
  solutions, which take nothing back.

The words of `CHECK_WORDS` and `BACK_WORDS` are counted apart and decide nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from reasonwright.chat import ANSWER_MARKER, STEP_BY_STEP, parse_completion
from reasonwright.verify.literals import parse_number
from reasonwright.verify.steps import Equation, equations

CHECK_WORDS = re.compile(
    r"\b(?:re-?|double[- ]?|cross[- ]?)check(?:ed|ing)?\b"
    r"|\b(?:let me|let's|let us|i will|i'll|to) (?:check|verify|confirm|make sure)\b|\bverif(?:y|ying|ication)\b"
    r"|^\W*check(?:ing)?\b(?: \w+){0,2}:|\b(?:as a|sanity|reality) check\b",
    re.IGNORECASE | re.MULTILINE,
)
BACK_WORDS = re.compile(
    r"(?:^|[.!?,…] |\boh )wait\b[,.!:]|\bhold on\b|\bactually,|\bhmm\b|\bscratch that\b|\boops\b|\bon second thought\b"
    r"|\b(?:that|this)(?:'s| is) (?:not right|wrong|incorrect)\b|\bi (?:made a mistake|misread|was off|forgot)\b",
    re.IGNORECASE | re.MULTILINE,
)
TAKE_BACK = re.compile(
    r"\b(?:wait|no|not|actually|instead|hold on|on second thought|oops|sorry|mis\w+|wrong|mistake|can(?:not|'t) be)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Thought:
    """A thought's equations and what they do."""

    text: str
    equations: list[Equation]
    checks: list[tuple[int, int]]
    """(equation that checks, equation that is checked)."""
    withdrawn: list[tuple[int, int]]
    """(equation that is withdrawn, equation in its place)."""

    @property
    def verifies(self) -> bool:
        return bool(self.checks)

    @property
    def backtracks(self) -> bool:
        return bool(self.withdrawn)

    @property
    def wrong_steps(self) -> int:
        """Equations that are wrong and were not withdrawn."""
        gone = {old for old, _ in self.withdrawn}
        return sum(not e.valid for i, e in enumerate(self.equations) if i not in gone)


def thought_of(text: str) -> str:
    """The thought of a completion; without tags, what stands before the answer sentence."""
    thought = parse_completion(text).thought
    if thought is None:
        before, marker, _ = text.rpartition(ANSWER_MARKER)
        thought = before if marker else text
    return thought.strip().removeprefix(STEP_BY_STEP).strip()


def read_thought(text: str, answer: str | None) -> Thought:
    """Find the behaviours of a thought that led to `answer` (as it was written; None where there was none)."""
    steps = equations(text)
    final = parse_number(answer) if answer else None
    facts = [_facts(step) for step in steps]
    again: dict[int, list[int]] = {}  # equation -> earlier ones that it states again
    for j in range(len(steps)):
        again[j] = [i for i in range(j) if facts[i] & facts[j] or _complement(steps[i], steps[j])]
    changed = {
        j: [i for i in range(j) if _same_left(steps[i], steps[j]) and steps[i].result != steps[j].result]
        for j in range(len(steps))
    }
    replaced = {i for olds in changed.values() for i in olds}
    fresh = {j for j in again if not again[j]}
    checks = {j: j for j in again if not changed[j]}
    for _ in range(2):  # an equation that states another again, yet is no check, uses its operands like any other
        uses = _Uses(steps, final, fresh)
        checks = {j: i for j in checks if (i := _checked(steps, uses, j, again[j], replaced)) is not None}
        fresh = set(again) - set(checks)
    withdrawn = []
    for j in range(len(steps)):
        olds = [i for i in changed[j] if i == j - 1 or not uses.after(j, steps[i].result)]
        if not olds and j and _corrects(steps, uses, j - 1, j) and _said_between(text, steps[j - 1], steps[j]):
            olds = [j - 1]
        withdrawn += [(i, j) for i in olds[-1:]]
    return Thought(text, steps, list(checks.items()), withdrawn)


class _Uses:
    """Where a value is used: as an operand of an equation that is not itself a repetition, or as the answer."""

    def __init__(self, steps: Sequence[Equation], final: Fraction | None, fresh: set[int]):
        self.final = final
        self.operands = [Counter(step.operands if j in fresh else ()) for j, step in enumerate(steps)]

    def between(self, i: int, j: int, value: Fraction) -> int:
        return sum(operands[value] for operands in self.operands[i + 1 : j])

    def after(self, i: int, value: Fraction) -> int:
        return self.between(i, len(self.operands), value) + (value == self.final)


def _checked(steps: Sequence[Equation], uses: _Uses, j: int, earlier: list[int], replaced: set[int]) -> int | None:
    """Which earlier equation the j-th one checks, if any; `earlier` are those that it states again."""
    step = steps[j]
    if sum(_same_writing(steps[i], step) for i in range(j)) >= 2:
        return None
    for i in reversed(earlier):
        if i in replaced or (uses.final is not None and not uses.after(i, steps[i].result)):
            continue  # nobody checks what leads nowhere
        if step.result != steps[i].result:
            if not uses.after(j, step.result):
                return i
        elif not (j == i + 1 and _same_writing(steps[i], step)):
            if step.result == uses.final and uses.between(i, j, step.result):
                continue  # the solution had gone on from there, and the answer is a quantity of its own
            used = uses.between(j, len(steps), step.result)
            if used == 0 or uses.after(i, step.result) < 2:
                return i
    if not earlier and step.result == uses.final and not uses.between(j, len(steps), step.result):
        for i in range(j):  # another way to the answer
            if i not in replaced and steps[i].result == step.result and not uses.between(i, j + 1, step.result):
                return i
    return None


def _corrects(steps: Sequence[Equation], uses: _Uses, i: int, j: int) -> bool:
    """Whether the j-th equation, the next one, stands in place of the i-th: nearly the same, and alone used."""
    old, new = steps[i], steps[j]
    if old.result == new.result or uses.between(i, len(steps), old.result) or old.result == uses.final:
        return False
    shared = sum((Counter(old.operands) & Counter(new.operands)).values())
    one_number = old.operators == new.operators and shared == len(old.operands) - 1
    one_sign = len(old.operands) == len(new.operands) == shared and old.operators != new.operators
    more = len(new.operands) > len(old.operands) == shared
    return (one_number or one_sign or more) and uses.after(j, new.result) > 0


def _said_between(text: str, old: Equation, new: Equation) -> bool:
    return TAKE_BACK.search(text, old.end, new.start) is not None


def _facts(step: Equation) -> set[tuple]:
    """What an equation says, in forms that its inverses share: those of 12 + 5 = 17 and 17 - 5 = 12 meet."""
    if len(step.operators) != 1:
        ordered = set(step.operators) not in ({"+"}, {"*"})
        return {(step.operators, step.operands if ordered else tuple(sorted(step.operands)), step.result)}
    (sign,), (a, b), r = step.operators, step.operands, step.result
    match sign:
        case "+":
            return {("+", *sorted((a, b)), r)}
        case "-":
            return {("+", *sorted((r, b)), a)}
        case "/":
            a, b, r = r, b, a
    forms = {("*", *sorted((a, b)), r)}
    forms |= {("*", *sorted((r, 1 / x)), y) for x, y in ((a, b), (b, a)) if x}
    return forms


def _complement(old: Equation, new: Equation) -> bool:
    """25% of 80 = 20 after 75% of 80 = 60."""
    if old.operators != ("*",) or new.operators != ("*",):
        return False
    return any(
        p + q == 1 and b == d and old.result + new.result == b
        for p, b in (old.operands, old.operands[::-1])
        for q, d in (new.operands, new.operands[::-1])
    )


def _same_left(one: Equation, other: Equation) -> bool:
    if one.operators != other.operators:
        return False
    return one.operands == other.operands or (
        set(one.operators) in ({"+"}, {"*"}) and sorted(one.operands) == sorted(other.operands)
    )


def _same_writing(one: Equation, other: Equation) -> bool:
    return (one.operators, one.operands, one.result) == (other.operators, other.operands, other.result)
