"""What the run showed, in plain sentences made from its figures, also where it showed nothing."""

from __future__ import annotations

from collections.abc import Sequence

from reasonwright.report.figures import THIN, count, interval, percent
from reasonwright.report.read import Row, points
from reasonwright.report.stages import Stage


def headline(stages: Sequence[Stage], grpo: Sequence[Row]) -> str:
    """One sentence on the main change: GRPO against SFT, else the last trained stage against the base."""
    found = {stage.key: stage for stage in stages}
    base = _best_base(found)
    if "sft" in found and "grpo" in found:
        return _change("GRPO", found["sft"], found["grpo"], strict=True)
    for key, name in (("grpo", "GRPO"), ("sft", "SFT")):
        if key in found and base:  # a base has not learnt the form: only its lenient figure is a fair one
            return _change(name, base, found[key], strict=False)
        if key in found:
            return f"After {name} the model answers {_figure(found[key], True)} of the problems right."
    if base:
        return f"The base model answers {_figure(base, False)} of the problems right; nothing trained is evaluated yet."
    rewards = [reward for _, reward in points(list(grpo), "reward")]
    if rewards:
        last = rewards[-20:]
        mean = sum(last) / len(last)
        return (
            f"No stage is evaluated yet; GRPO has run {count(len(rewards))} steps, "
            f"and the mean reward of the last {len(last)} is {mean:.2f}."
        )
    return "No stage is evaluated yet."


def second_line(stages: Sequence[Stage]) -> str:
    """One sentence on the student, "" where there is none."""
    found = {stage.key: stage for stage in stages}
    student, control = found.get("student"), found.get("student_sft")
    if not student or student.accuracy is None:
        return ""
    text = f"The smaller student, trained on the solutions kept from GRPO, reaches {_figure(student, True)}"
    if not control or control.accuracy is None:
        return text + "."
    text += f", against {_figure(control, True)} for the same student on the original SFT data"
    return text + ("; these intervals overlap." if _overlap(student.ci95, control.ci95) else ".")


def _best_base(found: dict[str, Stage]) -> Stage | None:
    bases = [found[key] for key in ("base_cot", "base_direct") if key in found]
    return max(bases, key=lambda stage: stage.accuracy_lenient or 0.0, default=None)


def _change(name: str, before: Stage, after: Stage, strict: bool) -> str:
    kind = "strict" if strict else "lenient"
    old, new = _share(before, strict), _share(after, strict)
    if old is None or new is None:
        return f"{name} is evaluated, but its {kind} accuracy or the one before it is missing."
    was, now = percent(old), percent(new)
    low, high = _ends(before, strict), _ends(after, strict)
    note = f" ({_size(before, after)}"
    note += f"95{THIN}% intervals {interval(low)} and {interval(high)})" if low and high else "no intervals)"
    against = "" if strict else f" from the base model ({before.label.removeprefix('Base, ')})"
    if was == now:
        return f"{name} left {kind} accuracy{against} at {now}{note}."
    verb = "raised" if new > old else "lowered"
    text = f"{name} {verb} {kind} accuracy{against} from {was} to {now}{note}"
    return text + ("; the intervals overlap, so this may be chance." if _overlap(low, high) else ".")


def _share(stage: Stage, strict: bool) -> float | None:
    return stage.accuracy if strict else stage.accuracy_lenient


def _ends(stage: Stage, strict: bool) -> tuple[float, float] | None:
    return stage.ci95 if strict else stage.ci95_lenient


def _figure(stage: Stage, strict: bool) -> str:
    """ "93.0 % (91.3–94.4)"."""
    ends = interval(_ends(stage, strict))
    return percent(_share(stage, strict)) + (f" ({ends})" if ends else "")


def _size(before: Stage, after: Stage) -> str:
    if before.n is None or after.n is None:
        return ""
    both = count(before.n) if before.n == after.n else f"{count(before.n)} and {count(after.n)}"
    return f"n\u00a0=\u00a0{both}; "


def _overlap(one: tuple[float, float] | None, two: tuple[float, float] | None) -> bool:
    return bool(one and two and one[0] <= two[1] and two[0] <= one[1])
