"""The questions one asks of such a run, answered yes or no by an interval, and in figures. Nothing here is an opinion:
yes means that the 95 % interval of the difference lies above 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasonwright.evaluation.intervals import difference_of_shares
from reasonwright.report.behaviours import Share, Thoughts, stage_thoughts
from reasonwright.report.controls import Control, Controls
from reasonwright.report.figures import THIN, count, decimal, gain, gain_range, interval, p_value, percent
from reasonwright.report.pairs import Pair

Interval = tuple[float, float] | None
LEVELS = f"95{THIN}% interval"


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    verdict: str
    """ "yes", "no", or "not measured"."""
    answer: str


def ask(pairs: Sequence[Pair], controls: Controls, thoughts: Sequence[Thoughts]) -> list[Question]:
    """Every question, those that nothing was measured for too."""
    found = {(pair.first, pair.second): pair for pair in pairs}
    sft, grpo = stage_thoughts(thoughts, "sft"), stage_thoughts(thoughts, "grpo")
    return [
        _paired("Did RL raise accuracy beyond SFT?", found.get(("sft", "grpo")), "GRPO", "SFT"),
        _control("Beyond rewards drawn at random?", controls, "random_reward"),
        _control("Beyond SFT for as long?", controls, "sft_more"),
        _grows(grpo, sft),
        _frequent("Does checking become more frequent with RL?", "verification", sft, grpo),
        _helps("Does checking help?", "verification", grpo),
        _frequent("Does backtracking become more frequent with RL?", "backtracking", sft, grpo),
        _helps("Does backtracking help?", "backtracking", grpo),
        _causal(grpo),
        _paired(
            "Does the student gain from GRPO's solutions?",
            found.get(("student_sft", "student")),
            "the student on the kept solutions",
            "the same student on the SFT data",
        ),
    ]


def verdict(ends: Interval) -> str:
    """yes: above 0; no: not above 0; not measured."""
    return "not measured" if ends is None else "yes" if ends[0] > 0 else "no"


def _because(ends: tuple[float, float]) -> str:
    """What a no rests on."""
    if ends[0] > 0:
        return ""
    return " The difference lies the other way." if ends[1] < 0 else " The interval includes 0: no difference is shown."


def _paired(text: str, pair: Pair | None, second: str, first: str) -> Question:
    if pair is None:
        return Question(text, "not measured", "Both stages have to be evaluated on the same problems.")
    d = pair.strict
    answer = (
        f"{gain(d.value)} points of strict accuracy ({LEVELS} {gain_range(d.ci95)}; McNemar {p_value(d.p)}): of "
        f"{count(d.n)} problems {count(d.only_second)} were right for {second} alone and {count(d.only_first)} for "
        f"{first} alone.{_because(d.ci95)}"
    )
    return Question(text, verdict(d.ci95), answer)


def _control(text: str, controls: Controls, key: str) -> Question:
    arm, base = controls.arm(key), controls.arm(controls.baseline)
    if not arm or not base or arm.difference is None or arm.difference_ci95 is None:
        return Question(text, "not measured", f"reasonwright ablate with the arm {key} measures it.")
    ends = (-arm.difference_ci95[1], -arm.difference_ci95[0])
    answer = (
        f"GRPO {_level(base)}, {arm.what or arm.key} {_level(arm)}: {gain(-arm.difference)} points for GRPO "
        f"({LEVELS} {gain_range(ends)}; n = {count(controls.problems)}).{_because(ends)}"
    )
    return Question(text, verdict(ends), answer)


def _level(arm: Control) -> str:
    return f"{percent(arm.accuracy)} ({interval(arm.ci95)})"


def _grows(grpo: Thoughts | None, sft: Thoughts | None) -> Question:
    text = "Does thought grow with difficulty?"
    if grpo is None or grpo.slope.value is None or grpo.slope.ci95 is None:
        return Question(text, "not measured", _needs_behaviours("a task whose problems have a difficulty"))
    answer = f"{_slope(grpo.slope)} tokens of GRPO's thought for each further step that a problem needs"
    if sft is not None and sft.slope.value is not None and sft.slope.ci95 is not None:
        answer += f"; of SFT's {_slope(sft.slope)}"
    return Question(text, verdict(grpo.slope.ci95), f"{answer} (n = {count(grpo.n)}).{_because(grpo.slope.ci95)}")


def _slope(slope: Share) -> str:
    low, high = slope.ci95 or (None, None)
    sign = "+" if (slope.value or 0) >= 0 else ""
    return f"{sign}{decimal(slope.value)} ({LEVELS} {decimal(low)} to {decimal(high)})".replace("-", "−")


def _frequent(text: str, name: str, sft: Thoughts | None, grpo: Thoughts | None) -> Question:
    """The rates' difference, from their intervals: the two answered the same problems, so it is rather too wide."""
    if sft is None or grpo is None:
        return Question(text, "not measured", _needs_behaviours())
    before, after = sft.behaviours[name].rate, grpo.behaviours[name].rate
    if before.value is None or after.value is None or not before.ci95 or not after.ci95:
        return Question(text, "not measured", _needs_behaviours())
    ends = difference_of_shares(after.value, after.ci95, before.value, before.ci95)
    answer = (
        f"{percent(before.value)} of the thoughts after SFT, {percent(after.value)} after GRPO: "
        f"{gain(after.value - before.value)} points ({LEVELS} {gain_range(ends)}; n = {count(grpo.n)} each)."
    )
    base = grpo.behaviours[name].minus_base
    if base.value is not None:
        answer += f" Against the base model {gain(base.value)} ({gain_range(base.ci95)})."
    return Question(text, verdict(ends), answer + _because(ends))


def _helps(text: str, name: str, grpo: Thoughts | None) -> Question:
    if grpo is None:
        return Question(text, "not measured", _needs_behaviours())
    useful = grpo.behaviours[name].useful
    if useful.value is None or useful.ci95 is None:
        return Question(text, "not measured", "Too few of GRPO's thoughts have it, or lack it, to compare the two.")
    answer = (
        f"{gain(useful.value)} points of accuracy with it, at equal difficulty ({LEVELS} {gain_range(useful.ci95)}; "
        f"{count(useful.n)} of {count(grpo.n)} thoughts have it). An association, not a cause.{_because(useful.ci95)}"
    )
    return Question(text, verdict(useful.ci95), answer)


def _causal(grpo: Thoughts | None) -> Question:
    text = "Is the thought causally used?"
    step = grpo.changes.get("last_step") if grpo else None
    if grpo is None or step is None or step.drop.value is None or step.drop.ci95 is None:
        return Question(text, "not measured", _needs_behaviours("problems that GRPO solves with an equation"))
    answer = (
        f"With the last step's number replaced by a wrong one, {percent(step.changed.value)} of GRPO's answers change "
        f"({interval(step.changed.ci95)}), {percent(grpo.followed)} to the number put in, and the right answer's "
        f"probability falls by {gain(step.drop.value).lstrip('+')} points ({LEVELS} {gain_range(step.drop.ci95)}; "
        f"n = {count(step.drop.n)})."
    )
    without = grpo.changes.get("removed")
    if without:
        answer += f" Without any thought {percent(without.changed.value)} change ({interval(without.changed.ci95)})."
    return Question(text, verdict(step.drop.ci95), answer + _because(step.drop.ci95))


def _needs_behaviours(more: str = "") -> str:
    return "eval/behaviours.json says nothing of it" + (f"; it takes {more}." if more else ".")
