"""Sentences with numbers that do not matter."""

from __future__ import annotations

from random import Random

from reasonwright.tasks.word_problems.arithmetic import draw

DISTRACTOR_SHARE = 0.15
"""Share of problems with one such sentence."""

_ANYWHERE = ("It was {d} degrees outside.", "The street had {d} houses.", "The day was number {d} of the month.")
_PERSON = ("{S} was {d} years old.", "{S} lived in house number {d}.", "{S} went to a school with {d} rooms.")
_TOPIC = {
    "items": ("The shop opened {d} years ago.", "The town had {d} shops."),
    "money": ("The shop opened {d} years ago.", "The bank had {d} windows."),
    "bill": ("The shop opened {d} years ago.", "The shop had {d} workers."),
    "way": ("The road was {d} years old.", "There were {d} trees on the way."),
    "trip": ("The car was {d} years old.", "There were {d} trees on the way."),
    "book": ("The book was {d} years old.", "The book had {d} pictures."),
    "tank": ("The tank was {d} years old.", "There were {d} ducks near the tank."),
    "people": ("The {vehicle} was {d} years old.", "The driver was {d} years old."),
    "age": ("{S} goes to a school with {d} rooms.", "{S} lives in house number {d}.", "{S} has {d} books."),
}


def distractor(rng: Random, topic: str, who: str) -> tuple[str, int]:
    """Wording and number of a sentence for a topic."""
    choices = _TOPIC[topic]
    if topic == "age":
        return rng.choice(choices), draw(rng, 3, 28)
    choices += _PERSON if who == "p" and topic != "people" else ()
    return rng.choice(choices + _ANYWHERE), draw(rng, 7, 28)
