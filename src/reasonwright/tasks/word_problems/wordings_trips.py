"""Stories of a way that somebody went, and of a trip of which some is left."""

from __future__ import annotations

from reasonwright.tasks.word_problems import arithmetic as shape
from reasonwright.tasks.word_problems.event import Event

LEFT = ("{eq} kilometers are left.",)
WENT = ("{S} {goes} {eq} kilometers.",)
Q_WENT = ("{q} goes {eq} kilometers.",)

ASKS = {
    "way": ("How many kilometers did {S} go?", "How far did {S} go in all?"),
    "trip": ("How many kilometers {does} {S} have left?", "How far {does} {S} still have to go?"),
}

STARTS = (
    Event("way", shape.given, ("{S} went {n} kilometers in one day.",), (), who="p", span=(5, 60)),
    Event("way", shape.product, ("{S} drove {a} kilometers an hour for {k} hours.",), WENT, who="p", span=(20, 80)),
    Event("way", shape.product, ("{S} walked {a} kilometers a day for {k} days.",), WENT, who="p", span=(2, 25)),
    Event("trip", shape.given, ("{S} was on a trip of {n} kilometers.",), (), who="p", span=(50, 300)),
    Event(
        "trip",
        shape.product,
        ("{S} planned a trip of {k} days with {a} kilometers a day.",),
        ("The trip has {eq} kilometers.",),
        who="p",
        span=(10, 60),
    ),
)

WAYS = (
    Event(
        "way", shape.plus, ("{s} then went {a} kilometers more.", "After lunch {s} went another {a} kilometers."), WENT
    ),
    Event("way", shape.minus, ("{a} kilometers of that were by train, and {s} did not count them.",), WENT),
    Event("way", shape.times, ("In the whole week {s} went {times} as far as that.",), WENT),
    Event(
        "way",
        shape.plus_product,
        ("{s} then drove {a} kilometers an hour for {k} hours.",),
        ("That is {eq} kilometers more.", *WENT),
        span=(20, 70),
    ),
    Event(
        "way",
        shape.plus_product,
        ("Then {s} went {a} kilometers a day for {k} days.",),
        ("That is {eq} kilometers more.", *WENT),
        span=(3, 40),
    ),
    Event(
        "way",
        shape.gain_percent,
        ("{s} lost the way and had to go {p}% more.",),
        ("That is {eq} kilometers more.", *WENT),
    ),
    Event("way", shape.percent, ("Only {p}% of the way was on foot, and {s} counted only that.",), WENT),
    Event(
        "way",
        shape.lose_fraction,
        ("{f} of that was by train, and {s} did not count it.",),
        ("By train it is {eq} kilometers.", *WENT),
    ),
    Event("way", shape.plus, ("{q} went {a} kilometers farther than {S}.",), Q_WENT, who="p", effect="other"),
    Event("way", shape.minus, ("{q} went {a} kilometers less than {S}.",), Q_WENT, who="p", effect="other"),
    Event("way", shape.times, ("{q} went {times} as far as {S}.",), Q_WENT, who="p", effect="other"),
    Event("way", shape.fraction, ("{q} went {f} as far as {S}.",), Q_WENT, who="p", effect="other"),
    Event(
        "way",
        shape.total,
        ("",),
        ("Together they go {eq} kilometers.",),
        ask=("How many kilometers did {P} and {S} go together?",),
        who="p",
        last=True,
    ),
    Event(
        "way",
        shape.divide,
        ("{S} needed {k} hours for the whole way.",),
        ("In one hour {S} {goes} {eq} kilometers.",),
        ask=("How many kilometers did {S} go in one hour?",),
        last=True,
    ),
    Event(
        "way",
        shape.divide_and_price,
        ("{s} needed a liter of gas for every {k} kilometers. A liter cost ${b}.",),
        ("{S} {needs} {eq} liters.", "The gas costs {eq} dollars."),
        ask=("How much did {S} pay for the gas?",),
        to="bill",
    ),
)

TRIPS = (
    Event(
        "trip", shape.minus, ("{s} drove {a} kilometers before lunch.", "{s} went {a} kilometers of it by train."), LEFT
    ),
    Event(
        "trip",
        shape.minus_product,
        ("{s} drove {a} kilometers an hour for {k} hours.",),
        ("That is {eq} kilometers.", *LEFT),
        span=(20, 80),
    ),
    Event(
        "trip",
        shape.minus_product,
        ("{s} went {a} kilometers a day for {k} days.",),
        ("That is {eq} kilometers.", *LEFT),
    ),
    Event("trip", shape.plus, ("A road was closed, so the way got {a} kilometers longer.",), LEFT, span=(2, 40)),
    Event("trip", shape.plus, ("{s} wanted to see a lake, which was {a} kilometers more.",), LEFT, span=(2, 40)),
    Event(
        "trip",
        shape.plus_product,
        ("{s} added {k} side trips of {a} kilometers each.",),
        ("The side trips are {eq} kilometers.", *LEFT),
        span=(2, 25),
    ),
    Event(
        "trip", shape.lose_fraction, ("{s} drove {f} of the way that was left.",), ("That is {eq} kilometers.", *LEFT)
    ),
    Event(
        "trip", shape.lose_percent, ("{s} drove {p}% of the way that was left.",), ("That is {eq} kilometers.", *LEFT)
    ),
    Event("trip", shape.fraction, ("At noon only {f} of that way was left.",), LEFT),
    Event("trip", shape.percent, ("On the next day only {p}% of that was left.",), LEFT),
    Event("trip", shape.times, ("{s} changed the plan and made the way that was left {times} as long.",), LEFT),
    Event(
        "trip",
        shape.divide,
        ("{s} drove the rest in {k} equal parts.",),
        ("One part is {eq} kilometers.",),
        ask=("How many kilometers was one part?",),
        last=True,
    ),
    Event(
        "trip",
        shape.divide_and_price,
        ("For the rest {s} needed a liter of gas for every {k} kilometers. A liter cost ${b}.",),
        ("{S} {needs} {eq} liters.", "The gas costs {eq} dollars."),
        ask=("How much did {S} pay for the gas?",),
        to="bill",
    ),
)

EVENTS = (*WAYS, *TRIPS)
