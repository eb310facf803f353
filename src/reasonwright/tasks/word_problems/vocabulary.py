"""The people and things that the stories are about."""

from __future__ import annotations

from collections.abc import Mapping

GIRLS = ("Anna", "Mia", "Emma", "Sara", "Lena", "Rosa", "Nina", "Kate", "Lucy", "Maria", "Julia", "Amy", "Eva", "Zoe")
BOYS = ("Ben", "Tom", "Max", "Leo", "Sam", "Paul", "Jack", "Omar", "Adam", "Luis", "Dan", "Ali", "Peter", "Noah")

ITEMS: Mapping[str, tuple[str, ...]] = {
    "collected": ("stickers", "marbles", "stamps", "shells", "beads", "cards"),
    "fruit": ("apples", "pears", "plums", "oranges", "lemons"),
    "baked": ("cookies", "muffins", "rolls", "cupcakes"),
    "goods": ("pencils", "balloons", "toys", "flowers", "candles"),
    "made": ("chairs", "lamps", "toys", "kites", "bikes"),
}

BUSINESSES: Mapping[str, tuple[str, ...]] = {
    "fruit": ("farm", "village"),
    "baked": ("bakery",),
    "made": ("factory", "workshop"),
}
"""What makes which kind of item."""
WORK: Mapping[str, str] = {"fruit": "picked", "baked": "baked", "made": "made"}

FOR_SALE = ("pens", "notebooks", "caps", "balls", "cakes", "tickets", "books", "cups", "shirts", "games")
ONE_FOR_SALE = ("bag", "hat", "lamp", "kite", "jacket", "clock", "chair", "phone")
VEHICLES = ("train", "bus", "boat")

FRACTIONS: Mapping[int, str] = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}
"""As in "half of them" and "a third as many"."""


def multiple(k: int) -> str:
    """
    >>> multiple(2), multiple(3)
    ('twice', '3 times')
    """
    return "twice" if k == 2 else f"{k} times"
