"""Text made to be slow: a megabyte is read in linear time, and enormous numbers are never computed."""

from __future__ import annotations

import time

import pytest

from reasonwright.verify import grade

MB = 1_000_000
HOSTILE = {
    "digits": "1" * MB,
    "5,000 digits": "The answer is " + "9" * 5000,
    "thousands": "1" + ",000" * (MB // 4),
    "broken thousands": "1" + " 000" * (MB // 4) + "0",
    "list": "The answer is " + "1, " * (MB // 3),
    "sum": "The answer is " + "1+" * (MB // 2),
    "dots": "1." * (MB // 2),
    "slashes": "1/" * (MB // 2),
    "tower": "The answer is " + "9^{" * (MB // 3),
    "exponents": "1e1" * (MB // 3),
    "huge exponent": "The answer is 1e" + "9" * 4000,
    "huge power": "The answer is 999^999999",
    "spaces": "the" + " " * MB,
    "half markers": "the final " * (MB // 10),
    "markers": "The answer is " * (MB // 14),
    "tags": "<answer>" * (MB // 8),
    "think tags": "<think></think>" * (MB // 15),
    "nested boxes": r"\boxed{" * (MB // 8) + "1" + "}" * (MB // 8),
    "boxes": r"\boxed{1}" * (MB // 9),
    "3,000 boxes": r"\boxed{7}" * 3000,
    "fracs": r"\frac{" * (MB // 6),
    "parentheses": "(" * 10_000 + "1" + ")" * 10_000,
    "minuses": "-" * MB + "1",
    "stars": "The answer is 5" + "*" * MB,
    "other digits": "٤" * MB,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_is_read_in_linear_time(name: str) -> None:
    started = time.perf_counter()
    assert not grade(HOSTILE[name], "42").lenient
    if name in ("spaces", "half markers", "markers", "tags", "nested boxes", "boxes"):
        assert not grade(HOSTILE[name], "forty-two", "text").lenient
    assert time.perf_counter() - started < 10  # linear is under a second; quadratic would be hours


def test_short_answers_are_fast() -> None:
    text = "<think>\n16 - 3 - 4 = 9, so 9 * 2 = 18.\n</think>\n\nThe answer is 18."
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(1000):
            grade(text, "18")
        best = min(best, time.perf_counter() - started)
    assert best < 0.1  # 10,000 a second on a busy machine; 67,000 were measured on a quiet one
