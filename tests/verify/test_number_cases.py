r"""Exact expected verdicts: (text, gold, strict, lenient, extracted). `THOUGHT` stands for a well-formed thought."""

from __future__ import annotations

import pytest

from reasonwright.types import UserError, Verdict
from reasonwright.verify import check_gold, grade

T = "<think>\n16 - 3 - 4 = 9\n</think>\n\n"

FORM = [
    (T + "The answer is 42.", "42", True, True, "42"),
    (T + "The answer is 42", "42", True, True, "42"),
    (T + "So the answer is: **42** apples.", "42", True, True, "42"),
    (T + "THE ANSWER IS $1,000.", "1000", True, True, "1,000"),
    (T + r"The answer is \boxed{42}.", "42", True, True, "42"),
    (T + "The answer is 42 cm^2.", "42", True, True, "42"),
    (T + "The answer is 3/4.", "0.75", True, True, "3/4"),
    ("\n <think></think>The answer is 42.", "42", True, True, "42"),
    # Right, but without the form.
    ("The answer is 42.", "42", False, True, "42"),
    ("Well. " + T + "The answer is 42.", "42", False, True, "42"),
    ("8 x 2 = 42</think>\n\nThe answer is 42.", "42", False, True, "42"),
    (T + "42", "42", False, True, "42"),
    (T + "#### 42", "42", False, True, "42"),
    (T + r"\boxed{42}", "42", False, True, "42"),
    (T + "<answer>42</answer>", "42", False, True, "42"),
    (T + "The final answer is: 42.", "42", False, True, "42"),
    (T + "The answer is 42. I hope this helps!", "42", False, True, "42"),
    (T + "The answer is 42.\nHuman: what is 2 + 2?", "42", False, True, "42"),
    (T + "6 x 7 = 42. The answer is 42.", "42", False, True, "42"),
    (T + "The answer is 42 eggs in 4 weeks.", "42", False, True, "42"),
    (T + "The answer is 6 x 7 = 42.", "42", False, True, "42"),
    (T + "The answer is 42. The answer is 42.", "42", False, True, "42"),
    # The form, but wrong.
    (T + "The answer is 43.", "42", False, False, "43"),
    (T + "The answer is -42.", "42", False, False, "-42"),
    (T + "The answer is 42.5.", "42", False, False, "42.5"),
    (T + "The answer is 32.5.", "32", False, False, "32.5"),
]

HACKS = [
    # The answer only in the thought.
    ("<think>\nThe answer is 42.\n</think>\n\n", "42", False, False, None),
    ("<think>\nThe answer is 42.\n</think>\n\nThe answer is 41.", "42", False, False, "41"),
    (r"<think>\boxed{42}</think> I don't know", "42", False, False, None),
    ("<think>3 * 4 = 12</think><answer>12.5</answer>", "12", False, False, "12.5"),
    # Unclosed and doubled tags.
    ("<think>\nThe answer is 42.", "42", False, False, None),
    ("<think>\na\n</think>\n\n<think>The answer is 42.", "42", False, False, None),
    (T + T + "The answer is 42.", "42", False, True, "42"),
    ("<think>\na\n</think>\nb\n</think>\n\nThe answer is 42.", "42", False, True, "42"),
    ("<think>\na\n</think>\n\nThe answer is 42.</think>", "42", False, False, None),
    ("<think>\na\n</think>\n\nThe answer is 42.</think> The answer is 41.", "42", False, False, "41"),
    # Several answers.
    (r"\boxed{41} or \boxed{42}", "42", False, False, None),
    (r"\boxed{42} and \boxed{41}", "42", False, False, None),
    (T + r"\boxed{41} \boxed{42} The answer is 42.", "42", False, False, None),
    (r"\boxed{42}, again \boxed{42.0}", "42", False, True, "42.0"),
    (r"\boxed{\boxed{42}}", "42", False, True, "42"),
    (T + "The answer is 17, 18, 19.", "18", False, False, None),
    (T + "The answer is 17, 18, 19.", "17", False, False, None),
    (T + "The answer is 17,18", "17", False, False, None),
    (T + "The answer is 42, 40 + 3.", "42", False, False, None),
    (T + "The answer is 42 or 1/0.", "42", False, False, None),
    (T + "The answer is [17; 18].", "17", False, False, None),
    (T + "The answer is 17 and 18.", "17", False, False, None),
    (T + "The answer is $17 or $18.", "17", False, False, None),
    (T + "The answer is 17-19.", "17", False, False, None),
    (T + "The answer is 1,000, 2,000.", "1000", False, False, None),
    (T + "<answer>17, 18</answer>", "17", False, False, None),
    (r"\boxed{17, 18}", "18", False, False, None),
    ("It is 40, 41, 42", "42", False, False, None),
    (T + "The answer is 41. The answer is 42.", "42", False, True, "42"),
    # Equations and expressions.
    (r"\boxed{1=42}", "42", False, False, None),
    (r"\boxed{1=42}", "1", False, False, None),
    (T + "The answer is 42 = 43.", "42", False, False, None),
    (T + "The answer is 21 + 21.", "21", False, False, None),
    (T + "The answer is 42 = 6 x 7.", "42", False, True, "42"),
    (r"\boxed{x = 42}", "42", False, True, "42"),
    (r"\boxed{42\sqrt{2}}", "42", False, False, None),
    (r"\boxed{\sqrt{42}}", "42", False, False, None),
    # The gold echoed, nothing, no number.
    ("I was told that 42 is right, yet my total is 41", "42", False, False, "41"),
    ("grader: output 1", "42", False, False, "1"),
    ("", "42", False, False, None),
    (T, "42", False, False, None),
    (T + "The answer is", "42", False, False, None),
    (T + "The answer is forty-two.", "42", False, False, None),
    (T + "The answer is 42. Or is it? The answer is unknown.", "42", False, False, None),
    # Digits that int() would take.
    (T + "The answer is ４２.", "42", False, False, None),
    (T + "The answer is ٤٢.", "42", False, False, None),
    (T + "The answer is 4２.", "4", False, False, None),
    (T + "The answer is 4².", "4", False, False, None),
    (T + "The answer is ⁴².", "42", False, False, None),
    (T + "The answer is 1½.", "1", False, False, None),
    (T + "The answer is ㊷.", "42", False, False, None),
    # Not numbers of their own.
    ("AZYUK2A", "2", False, False, None),
    ("version v2.5", "5", False, False, None),
    ("The answer is 12:30", "12", False, False, None),
    ("The answer is 1.2.3", "1.2", False, False, None),
    ("The answer is 204_5", "204", False, False, None),
    # No value.
    (T + "The answer is 42/0.", "42", False, False, None),
    (T + r"The answer is \frac{42}{0}.", "42", False, False, None),
    (T + "The answer is 0/0.", "0", False, False, None),
    (T + "The answer is " + "9" * 1500 + ".", "9", False, False, None),
    (T + "The answer is 1e99999999.", "1", False, False, None),
    (T + "The answer is 9^{9^{9^{9}}}.", "9", False, False, None),
    (T + "The answer is NaN.", "0", False, False, None),
    (T + "The answer is inf.", "0", False, False, None),
]

NOTATIONS = [
    ("The answer is 1 000 000", "1000000", "1 000 000"),
    ("The answer is 1\u202f000", "1000", "1 000"),
    (r"The answer is 1{,}000", "1000", "1,000"),
    (r"\boxed{10,\!080}", "10080", "10,080"),
    ("The answer is £1,000.50 a week", "1000.5", "1,000.50"),
    ("The answer is USD18", "18", "18"),
    ("The answer is Rs.18", "18", "18"),
    (r"\boxed{\$18}", "18", "18"),
    ("The total is \\$18.", "18", "18"),
    ("The answer is 50%", "50", "50"),
    (r"\boxed{50\%}", "50", "50"),
    (r"\boxed{90^\circ}", "90", "90"),
    ("The answer is 5km", "5", "5"),
    ("The area is 16 m²", "16", "16"),
    ("The area is 16 m^2", "16", "16"),
    ("#### 7 dozen eggs in 4 weeks", "7", "7"),
    ("The answer is −5", "-5", "-5"),
    ("The answer is -$5", "-5", "-5"),
    ("The answer is $-5", "-5", "-5"),
    (r"\boxed{- 5}", "-5", "-5"),
    ("Steps:\n- 5 apples", "5", "5"),
    ("10 - 5 = 5", "5", "5"),
    ("x=-5", "-5", "-5"),
    ("The answer is .5", "1/2", ".5"),
    ("The answer is 84/2", "42", "84/2"),
    (r"\boxed{\frac{3}{4}}", "0.75", r"\frac{3}{4}"),
    (r"\boxed{-\dfrac34}", "-3/4", r"-\frac34"),
    (r"\boxed{\frac{-3}{4}}", "-3/4", r"\frac{-3}{4}"),
    ("The answer is 1 3/4", "7/4", "1 3/4"),
    (r"The answer is 1\frac{4}{5}", "9/5", r"1\frac{4}{5}"),
    ("The answer is 1e3", "1000", "1e3"),
    ("The answer is 2.5E-3", "0.0025", "2.5E-3"),
    (r"The answer is 1.5 \times 10^{3}", "1500", r"1.5 \times 10^{3}"),
    ("The answer is 10^3", "1000", "10^3"),
    ("The answer is 0042", "42", "0042"),
    ("答案是42", "42", "42"),
    ("The **answer** is **42**", "42", "42"),
    ("__The answer is__ 42", "42", "42"),
    ("The answer is:\n\n42", "42", "42"),
    ("<ANSWER> 42 </ANSWER> of 100", "42", "42"),
    ("the Final answer\nis 42 of 100", "42", "42"),
    ("First 3, then 4.\nIn all 42 of them!", "42", "42"),
    (r"\boxed{42", "42", "42"),
    (r"\boxed {42\text{ of } 100}", "42", "42"),
]


@pytest.mark.parametrize(("text", "gold", "strict", "lenient", "extracted"), FORM + HACKS)
def test_verdict(text: str, gold: str, strict: bool, lenient: bool, extracted: str | None) -> None:
    assert grade(text, gold) == Verdict(strict, lenient, extracted)


@pytest.mark.parametrize(("text", "gold", "extracted"), NOTATIONS)
def test_notation_is_read_by_value(text: str, gold: str, extracted: str) -> None:
    assert grade(text, gold) == Verdict(strict=False, lenient=True, extracted=extracted)
    assert not grade(text, "123456").lenient


def test_percent_is_a_unit() -> None:
    assert not grade("The answer is 50%", "0.5").lenient
    assert grade("The answer is 50", "50%").lenient


@pytest.mark.parametrize("gold", ["12", "1,450,000", "-0.5", "3/4", "51.0", "3.509e-07", "$5", "50%", " 7 ", "−3", "0"])
def test_readable_gold(gold: str) -> None:
    check_gold(gold, "number")
    assert grade(f"The answer is {gold}", gold).lenient


@pytest.mark.parametrize(
    "gold", ["", " ", "twelve", "17, 18", "12 eggs", "2x", "1/0", "1=1", "４２", "9" * 5000, "<b>"]
)
def test_unreadable_gold_is_an_error_and_never_a_reward(gold: str) -> None:
    with pytest.raises(UserError, match="is not one number"):
        check_gold(gold, "number")
    for completion in (gold, f"{T}The answer is {gold}.", "", "<think>"):
        with pytest.raises(UserError):
            grade(completion, gold)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="expected number, text, latex or code"):
        grade("4", "4", "colour")  # type: ignore[arg-type]
