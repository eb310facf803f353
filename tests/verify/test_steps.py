"""Equations out of running text, against values known beforehand."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonwright.tasks.word_problems.arithmetic import calculate, equation
from reasonwright.verify.steps import equations

CASES = [  # text, [(value, result, valid)]
    ("28 x 4 = 112", [(112, 112, True)]),
    ("80 x 0.15 = 12.", [(12, 12, True)]),
    ("so I pay $24 - $5 = $19.", [(19, 19, True)]),
    (r"\$24 - \$5 = \$18", [(19, 18, False)]),
    ("15% of 80 = 12", [(12, 12, True)]),
    ("10% of 80 is 8, and 5% of 80 is 5", [(8, 8, True), (4, 5, False)]),
    ("17 × 20 = 340, 17·3 = 51, 340 + 51 = 391", [(340, 340, True), (51, 51, True), (391, 391, True)]),
    ("1/2 of 60 = 30", [(30, 30, True)]),
    (r"\frac{1}{2} \times 8 = 4", [(4, 4, True)]),
    ("1 1/2 x 4 = 6", [(6, 6, True)]),
    ("$1,000 + 50 = $1,050.00", [(1050, 1050, True)]),
    ("$400 000 x 3/100 = $12000", [(12000, 12000, True)]),
    ("(80 + 90) / 2 = 85", [(85, 85, True)]),
    ("2(3 + 4) = 14", [(14, 14, True)]),
    ("2 + 3 x 4 = 14", [(14, 14, True)]),
    ("-5 + 3 = -2", [(-2, -2, True)]),
    ("- 5 + 3 = 8\n- 4 + 4 = 8", [(8, 8, True), (8, 8, True)]),  # a list
    ("6 loaves x $4 = $24 total", [(24, 24, True)]),
    ("9 duck eggs per day x $2 per egg = $18", [(18, 18, True)]),
    ("5 hours * $10/hour = $50", [(50, 50, True)]),
    ("9 times 7 is 63, 5 plus 3 equals 9", [(63, 63, True), (8, 9, False)]),
    # chains: each side with an operation is a step; a run-on chain is read sign by sign
    ("6 x $4 = $24 - $5 = $19", [(24, 24, True), (19, 19, True)]),
    ("2 + 3 + 4 = 5 + 4 = 9", [(9, 9, True), (9, 9, True)]),
    ("5 + 3 = 9 x 2 = 18", [(8, 9, False), (18, 18, True)]),
    ("So 15% = 8 + 4 = 12", [(12, 12, True)]),
    # calculator annotations
    ("16 - 3 - 4 = <<16-3-4=9>>9 eggs, 9 * 2 = $<<9*2=18>>18", [(9, 9, True), (18, 18, True)]),
    # rounding is allowed to the decimals that are written, floating-point tails are not compared
    ("100 / 3 = 33.33", [(Fraction(100, 3), Fraction("33.33"), True)]),
    ("100 / 3 = 33", [(Fraction(100, 3), 33, False)]),
    ("25 / 3 = 8.333333333333334", [(Fraction(25, 3), Fraction("8.333333333333334"), True)]),
    ("12 / 80 x 100 = 15%", [(15, Fraction(15, 100), True)]),
    ("20 / 80 = 25%", [(Fraction(1, 4), Fraction(1, 4), True)]),
    ("5 / 0 = 3", [(None, 3, False)]),
    # no equations
    ("2x + 3 + 4 = 10", []),
    ("y + 5 + 3 = 12", []),
    ("2^3 + 1 = 9", []),
    ("10:30 + 45 = 11:15", []),
    ("The cost of 1/3 pound is $15", []),
    ("3 types, 2 of each = 6 loaves", []),
    ("Yes, 17 = 17. He is 12 and she is 5.", []),
    ("5 + 3 = ?", []),
    ("There are 10 2-legged animals * 2 = 20", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[c[0][:40] for c in CASES])
def test_cases(text: str, expected: list):
    assert [(e.value, e.result, e.valid) for e in equations(text)] == expected


def test_places():
    text = "Then 2 x $500 = $1,000 in all."
    (found,) = equations(text)
    assert text[found.start : found.end] == "2 x $500 = $1,000"
    assert text[found.result_start : found.result_end] == "1,000"


numbers = st.integers(1, 999)


@given(
    numbers, st.sampled_from("+-x/%"), numbers, st.integers(-3, 3), st.sampled_from(["{}", "So {} dollars.", "a\n{}\n"])
)
def test_the_generators_own_equations(left: int, op, right: int, off: int, around: str):
    result = calculate(left, op, right)
    if result is None or result + off < 0:
        return
    (found,) = equations(around.format(equation(left, op, right, result + off)))
    assert found.value == result
    assert found.result == result + off
    assert found.valid == (off == 0)


expressions = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=6,
)


@given(st.tuples(expressions, st.sampled_from("+-*/"), expressions).map(" ".join), st.integers(0, 50))
def test_values_agree_with_python(expression: str, result: int):
    exact = "".join(
        f"Fraction({t})" if t.isdigit() else t for t in expression.replace("(", "( ").replace(")", " )").split()
    )
    try:
        value = eval(exact, {"Fraction": Fraction})
    except ZeroDivisionError:
        value = None
    (found,) = equations(f"{expression} = {result}")
    assert found.value == value
    assert found.valid == (value == result)


@pytest.mark.parametrize(
    "text",
    ["1+" * 30000 + "=2", "((((1" * 8000 + "=1", "1 " * 40000 + "=", "=" * 100000, "$ " * 40000, "<<" * 40000,
     "1 = 1 + " * 15000, "9" * 100000 + " + 1 = 2", "1 of " * 20000 + "= 3", "1/0 + " * 10000 + "1 = 1",
     "1(" * 20000 + "=3"],
    ids=range(11),
)  # fmt: skip
def test_hostile_text_is_linear(text: str):
    began = time.process_time()
    equations(text)
    assert time.process_time() - began < 4


@given(st.text(alphabet="0123456789+-*/=()%$,. \nxofis<>{}\\½²٣", max_size=80))
def test_never_raises(text: str):
    for found in equations(text):
        assert 0 <= found.start < found.result_start < found.result_end <= found.end <= len(text)
