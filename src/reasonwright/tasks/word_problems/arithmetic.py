"""Numbers of the word problems: the ranges, one step of arithmetic, and the shapes that an event may take.

Ranges, fixed for training and evaluation alike:

- every number and every intermediate value is a whole number from 2 to 999, in 85 % of the problems at most 300;
- a story starts with a number of at most 300; what is then added or taken away has one or two digits in the text (a
  note that is paid with is of $20 to $500); the sum or the difference of two people's quantities may have three;
- products: the right factor is 2 to 10, the product at most 999;
- quotients: exact, the divisor is 2 to 10;
- percentages: 10, 20, 25, 50 or 75 of a number for which the result is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

Op = Literal["+", "-", "x", "/", "%"]

LOWEST, HIGHEST, USUAL_HIGHEST = 2, 999, 300
USUAL_SHARE = 0.85
PERCENTAGES = (10, 20, 25, 50, 75)
NOTES = (20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a worked solution."""

    left: int
    op: Op
    """"%" means `left` per cent of `right`."""
    right: int
    result: int
    phrase: str
    """The sentence around the equation, "@=" in its place: "Anna has @= apples."."""
    left_from: int = -1
    """Index of the step whose result `left` is; -1 where the number stands in the question."""
    right_from: int = -1


def calculate(left: int, op: Op, right: int) -> int | None:
    """The result, or None where it is not a whole number from 1 to 999.

    >>> calculate(25, "%", 80), calculate(7, "/", 2)
    (20, None)
    """
    match op:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "x":
            result = left * right
        case "/":
            if right == 0 or left % right:
                return None
            result = left // right
        case "%":
            if left * right % 100:
                return None
            result = left * right // 100
    return result if 1 <= result <= HIGHEST else None


def equation(left: int, op: Op, right: int, result: int) -> str:
    """
    >>> equation(12, "+", 5, 17), equation(25, "%", 80, 20)
    ('12 + 5 = 17', '25% of 80 = 20')
    """
    return f"{left}% of {right} = {result}" if op == "%" else f"{left} {op} {right} = {result}"


Operand = int | Literal["n", "side", "prev", "high", "low"]
"""A number, or: "n" the story's current quantity, "side" that of the person before, "high" and "low" the larger and
the smaller of these two, "prev" the result just before."""
Plan = tuple[dict[str, int], list[tuple[Operand, Op, Operand]]]
"""The numbers that the text shows, and the operations."""
Shape = Callable[[Random, int, int, tuple[int, int]], "Plan | None"]
"""(rng, current quantity, highest value, range of `a`) -> plan, or None where the quantity does not allow it."""


def draw(rng: Random, low: int, high: int) -> int:
    """A whole number from low to high; `randint` without its checks, as this is the hottest line of the generator."""
    return low + int(rng.random() * (high - low + 1))


def _addend(rng: Random, room: int, span: tuple[int, int]) -> int | None:
    return draw(rng, span[0], min(span[1], room)) if min(span[1], room) >= span[0] else None


def plus(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    a = _addend(rng, cap - n, span)
    return None if a is None else ({"a": a}, [("n", "+", a)])


def minus(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    a = _addend(rng, n - LOWEST, span)
    return None if a is None else ({"a": a}, [("n", "-", a)])


def in_and_out(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    a = _addend(rng, cap - n, span)
    b = None if a is None else _addend(rng, n - LOWEST, span)
    return None if a is None or b is None or a == b else ({"a": a, "b": b}, [("n", "+", a), ("prev", "-", b)])


def times(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    k = _addend(rng, cap // n, (2, min(9, span[1])))
    return None if k is None else ({"k": k}, [("n", "x", k)])


def divide(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    divisors = [k for k in range(2, 11) if n % k == 0 and n // k >= LOWEST]
    return None if not divisors else ({"k": (k := rng.choice(divisors))}, [("n", "/", k)])


def fraction(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    parts = [k for k in (2, 3, 4) if n % k == 0 and n // k >= LOWEST]
    return None if not parts else ({"f": (k := rng.choice(parts))}, [("n", "/", k)])


def lose_fraction(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    parts = [k for k in (2, 3, 4, 5) if n % k == 0 and n // k >= LOWEST]
    return None if not parts else ({"f": (k := rng.choice(parts))}, [("n", "/", k), ("n", "-", "prev")])


def percent(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    shares = [p for p in PERCENTAGES if n * p % 100 == 0 and n * p // 100 >= LOWEST]
    return None if not shares else ({"p": (p := rng.choice(shares))}, [(p, "%", "n")])


def lose_percent(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    plan = percent(rng, n, cap, span)
    return None if plan is None else (plan[0], [*plan[1], ("n", "-", "prev")])


def gain_percent(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    plan = percent(rng, n, cap, span)
    return None if plan is None or n * 7 // 4 > cap else (plan[0], [*plan[1], ("n", "+", "prev")])


def plus_product(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    k = draw(rng, 2, 9)
    a = _addend(rng, (cap - n) // k, span)
    return None if a is None else ({"k": k, "a": a}, [(a, "x", k), ("n", "+", "prev")])


def minus_product(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    k = draw(rng, 2, 9)
    a = _addend(rng, (n - LOWEST) // k, span)
    return None if a is None else ({"k": k, "a": a}, [(a, "x", k), ("n", "-", "prev")])


def change(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    notes = [a for a in NOTES if LOWEST <= a - n <= max(50, n)]
    return None if not notes else ({"a": (a := rng.choice(notes))}, [(a, "-", "n")])


def divide_and_price(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    plan = divide(rng, n, cap, span)
    if plan is None:
        return None
    b = _addend(rng, cap // (n // plan[0]["k"]), (2, 9))
    return None if b is None else ({**plan[0], "b": b}, [*plan[1], ("prev", "x", b)])


def total(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    return {}, [("side", "+", "n")]


def difference(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    return {}, [("high", "-", "low")]


# how a story may begin: `n` is not there yet


def given(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    return {"n": draw(rng, *span)}, []


def product(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    k = draw(rng, 2, 9)
    a = draw(rng, max(2, span[0]), max(2, min(span[1], cap // k)))
    return {"k": k, "a": a}, [(a, "x", k)]


def addition(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    a, b = draw(rng, *span), draw(rng, *span)
    return None if a == b else ({"a": a, "b": b}, [(a, "+", b)])


def product_and_one(rng: Random, n: int, cap: int, span: tuple[int, int]) -> Plan | None:
    k, a, b = draw(rng, 2, 9), draw(rng, *span), draw(rng, 2, 30)
    return {"k": k, "a": a, "b": b}, [(a, "x", k), ("prev", "+", b)]
