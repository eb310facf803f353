"""All wordings together, and how often each is drawn."""

from __future__ import annotations

import itertools

from reasonwright.tasks.word_problems import wordings_items, wordings_money, wordings_places, wordings_trips
from reasonwright.tasks.word_problems.event import Event

_FILES = (wordings_items, wordings_money, wordings_trips, wordings_places)
STARTS: tuple[Event, ...] = tuple(event for file in _FILES for event in file.STARTS)
EVENTS: tuple[Event, ...] = tuple(event for file in _FILES for event in file.EVENTS)
ASKS: dict[str, tuple[str, ...]] = {topic: questions for file in _FILES for topic, questions in file.ASKS.items()}
"""The questions about each topic."""
WORDINGS: tuple[str, ...] = tuple(
    text for event in (*STARTS, *EVENTS) for text in (event.texts if any(event.texts) else event.ask)
)
"""Every wording of a start or an event (of those that only the question tells, the question)."""

TOPICS = {"items": 8, "money": 4, "bill": 3, "way": 2, "trip": 2, "book": 2, "tank": 2, "people": 2, "age": 2}
"""Topics of the start, by weight."""


def _weight(event: Event) -> float:
    """Two people together, or what ends a story, is often drawn and seldom fits; the way to another always fits."""
    return 2.0 if event.last or event.effect == "both" else 0.5 if event.effect else 1.0


def _table() -> dict[tuple[str, str], tuple[list[Event], list[float]]]:
    """Events by topic and subject with cumulative weights: each kind of arithmetic is as frequent as any other,
    however many wordings it has. `_weight` makes up for what is seldom possible."""
    table = {}
    for topic, who in itertools.product(ASKS, "pton"):
        events = [e for e in EVENTS if e.topic == topic and who in e.who]
        groups = [(e.shape, bool(e.effect), e.last) for e in events]
        weights = [_weight(event) / groups.count(group) for event, group in zip(events, groups, strict=True)]
        table[topic, who] = (events, list(itertools.accumulate(weights)))
    return table


EVENT_TABLE = _table()
"""By topic and subject: events and their cumulative weights."""
START_TABLE = {key: [e for e in STARTS if e.topic == key[0] and key[1] in e.who] for key in EVENT_TABLE}
