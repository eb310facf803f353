"""Any notation of the gold answer scores; nothing else does."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reasonwright.chat import render_completion
from reasonwright.types import Verdict
from reasonwright.verify import grade, numbers
from reasonwright.verify.literals import TOKEN

RENDERERS = {
    "plain": str,
    "commas": lambda n: f"{n:,}",
    "spaces": lambda n: f"{n:,}".replace(",", " "),
    "thin spaces": lambda n: f"{n:,}".replace(",", "\u2009"),
    "latex commas": lambda n: f"{n:,}".replace(",", r",\!"),
    "decimal": lambda n: f"{n}.00",
    "dollars": lambda n: f"-${-n:,}" if n < 0 else f"${n:,}",
    "unit": lambda n: f"{n} apples",
    "percent": lambda n: f"{n}%",
    "bold": lambda n: f"**{n}**",
    "boxed": lambda n: rf"\boxed{{{n}}}",
    "math": lambda n: rf"\({n}\)",
    "unicode minus": lambda n: str(n).replace("-", "−"),
    "fraction": lambda n: f"{3 * n}/3",
    "frac": lambda n: rf"\frac{{{2 * n}}}{{2}}",
    "exponent": lambda n: f"{n}e0",
    "scientific": lambda n: f"{n}0 x 10^-1",
}
INTEGERS = st.one_of(st.integers(-200, 200), st.integers(-(10**30), 10**30))


@given(INTEGERS, st.sampled_from(sorted(RENDERERS)))
def test_any_notation_of_the_gold_scores(n: int, name: str) -> None:
    written = RENDERERS[name](n)
    assert grade(render_completion("a", written), str(n)).strict, written
    for text in (f"#### {written}", f"<answer>{written}</answer>", f"3 and so\nthe Answer is: {written}", written):
        verdict = grade(text, str(n))
        assert verdict.lenient, text
        assert not verdict.strict


@given(INTEGERS, INTEGERS, st.sampled_from(sorted(RENDERERS)))
def test_another_number_never_scores(n: int, gold: int, name: str) -> None:
    assume(n != gold)
    written = RENDERERS[name](n)
    assert not grade(render_completion(f"The answer is {gold}.", written), str(gold)).lenient
    assert not grade(written, str(gold)).lenient


@given(st.fractions(max_denominator=10**6))
def test_fractions_are_exact(value: Fraction) -> None:
    assert grade(rf"The answer is \frac{{{value.numerator}}}{{{value.denominator}}}", str(value)).lenient
    nearly = value + Fraction(1, 10**15)
    assert not grade(f"The answer is {nearly.numerator}/{nearly.denominator}", str(value)).lenient


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_decimals_are_exact(value: object) -> None:
    assert grade(f"The answer is {value:f}", f"{value:f}").lenient
    assert not grade(f"The answer is {value:f}1", f"{value:f}").lenient


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789.,-+/*=^${}\\ \n"))))
def test_random_text_never_scores(text: str) -> None:
    """The gold has a run of digits that the text has not, so no reading of the text gives it."""
    assume("8174092635" not in text)
    for completion in (text, render_completion("8174092635", text), f"<think>8174092635</think>{text}"):
        verdict = grade(completion, "8174092635")
        assert verdict.lenient is verdict.strict is False


@given(st.text(alphabet="abc {}\\$.,;:()", max_size=40))
def test_text_without_a_digit_is_no_answer(text: str) -> None:
    assert grade(f"The answer is {text}", "0") == Verdict(False, False, None)


PIECES = st.sampled_from(
    [
        *"0123456789",
        "12",
        "1,000",
        "½",
        "√",
        "x",
        "m",
        "\n",
        ". ",
        ".",
        " ",
        ", ",
        " and ",
        " = ",
        " + ",
        "-",
        "- ",
        "*",
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=400)
def test_reading_the_last_sentence_is_reading_it_all(text: str) -> None:
    number, position = None, 0
    while token := TOKEN.search(text, position):
        number, position = numbers._read(text, token, 0, len(text))
    assert numbers.last_number(text) == (number if set(text) & set("0123456789") else None)
