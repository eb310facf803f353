"""Stories of pages to read, water in a tank, people on a train, and ages."""

from __future__ import annotations

from reasonwright.tasks.word_problems import arithmetic as shape
from reasonwright.tasks.word_problems.event import Event

PAGES = ("{eq} pages are left.",)
WATER = ("The tank holds {eq} liters.",)
PEOPLE = ("There are {eq} people.",)
Q_PAGES = ("{q} has {eq} pages left.",)
AGED = ("{q} is {eq} years old.",)

ASKS = {
    "book": ("How many pages {does} {S} have left?", "How many pages {does} {S} still have to read?"),
    "tank": ("How many liters of water are in the tank now?", "How much water is left in the tank?"),
    "people": ("How many people are on the {vehicle} now?", "How many people are there in the end?"),
    "age": ("How old is {S}?", "How many years old is {S}?"),
}

STARTS = (
    Event("book", shape.given, ("{S} had a book with {n} pages.",), (), who="p", span=(40, 300)),
    Event(
        "book",
        shape.product,
        ("{S} had a book with {k} chapters of {a} pages each.",),
        ("The book has {eq} pages.",),
        who="p",
        span=(8, 40),
    ),
    Event("tank", shape.given, ("{S} had a tank with {n} liters of water.",), (), who="p", span=(20, 200)),
    Event(
        "tank",
        shape.product,
        ("{S} filled an empty tank with {a} liters a minute for {k} minutes.",),
        WATER,
        who="p",
        span=(4, 40),
    ),
    Event("people", shape.given, ("There were {n} people on a {vehicle}.",), (), who="n", span=(10, 99)),
    Event(
        "people",
        shape.product,
        ("A {vehicle} had {k} rows with {a} people in each row.",),
        PEOPLE,
        who="n",
        span=(3, 20),
    ),
    Event(
        "people", shape.addition, ("A {vehicle} had {a} adults and {b} children on it.",), PEOPLE, who="n", span=(4, 60)
    ),
    Event("age", shape.given, ("{S} is {n} years old.",), (), who="p", span=(4, 40)),
    Event("age", shape.given, ("This year {S} turned {n} years old.",), (), who="p", span=(4, 40)),
)

BOOKS = (
    Event("book", shape.minus, ("{s} read {a} pages in the morning.", "In the evening {s} read {a} pages."), PAGES),
    Event(
        "book", shape.minus, ("There were pictures on {a} of the pages, and {s} skipped these.",), PAGES, span=(2, 30)
    ),
    Event(
        "book",
        shape.minus_product,
        ("{s} read {a} pages a day for {k} days.", "{s} read {a} pages an hour for {k} hours."),
        ("That is {eq} pages.", *PAGES),
        span=(2, 40),
    ),
    Event("book", shape.plus, ("{s} also wanted to read a story of {a} pages.",), PAGES),
    Event(
        "book",
        shape.plus_product,
        ("{s} also wanted to read {k} stories of {a} pages each.",),
        ("The stories have {eq} pages.", *PAGES),
        span=(2, 25),
    ),
    Event("book", shape.lose_fraction, ("{s} read {f} of the pages that were left.",), ("That is {eq} pages.", *PAGES)),
    Event("book", shape.lose_percent, ("{s} read {p}% of the pages that were left.",), ("That is {eq} pages.", *PAGES)),
    Event("book", shape.fraction, ("After a week only {f} of these pages were left.",), PAGES),
    Event("book", shape.percent, ("After the weekend {p}% of these pages were left.",), PAGES),
    Event("book", shape.times, ("{s} had to read all that was left {times}.",), ("That makes {eq} pages to read.",)),
    Event("book", shape.plus, ("{q} had {a} more pages left than {S}.",), Q_PAGES, who="p", effect="other"),
    Event("book", shape.minus, ("{q} had {a} fewer pages left than {S}.",), Q_PAGES, who="p", effect="other"),
    Event("book", shape.times, ("{q} had {times} as many pages left as {S}.",), Q_PAGES, who="p", effect="other"),
    Event("book", shape.fraction, ("{q} had {f} as many pages left as {S}.",), Q_PAGES, who="p", effect="other"),
    Event(
        "book",
        shape.total,
        ("",),
        ("Together they have {eq} pages left.",),
        ask=("How many pages do {P} and {S} have left together?",),
        who="p",
        last=True,
    ),
    Event(
        "book",
        shape.divide,
        ("{s} read the rest in {k} days, the same number of pages every day.",),
        ("In one day {S} {reads} {eq} pages.",),
        ask=("How many pages a day was that?",),
        last=True,
    ),
)

TANKS = (
    Event("tank", shape.plus, ("The rain added {a} liters.", "{s} put in {a} liters more."), WATER),
    Event(
        "tank",
        shape.plus_product,
        ("A pump added {a} liters a minute for {k} minutes.", "{s} put in {k} buckets of {a} liters each."),
        ("That is {eq} liters.", *WATER),
        span=(2, 30),
    ),
    Event(
        "tank", shape.minus, ("{s} used {a} liters for the garden.", "A horse drank {a} liters."), WATER, span=(2, 50)
    ),
    Event(
        "tank",
        shape.minus_product,
        ("{s} used {a} liters a day for {k} days.", "{k} cows drank {a} liters each."),
        ("That is {eq} liters.", *WATER),
        span=(2, 30),
    ),
    Event("tank", shape.lose_fraction, ("Then {f} of the water was used.",), ("That is {eq} liters.", *WATER)),
    Event("tank", shape.lose_percent, ("In the sun {p}% of the water dried up.",), ("That is {eq} liters.", *WATER)),
    Event("tank", shape.gain_percent, ("After a storm there was {p}% more water.",), ("That is {eq} liters.", *WATER)),
    Event("tank", shape.fraction, ("The tank had a hole, and only {f} of the water stayed in it.",), WATER),
    Event("tank", shape.percent, ("Only {p}% of the water was clean, and {s} kept that.",), WATER),
    Event("tank", shape.times, ("After a week of rain the tank held {times} as much water.",), WATER),
    Event(
        "tank",
        shape.divide,
        ("{s} filled all the water into bottles of {k} liters.",),
        ("The water fills {eq} bottles.",),
        ask=("How many bottles did {S} fill?",),
        to="items",
        items="bottles",
    ),
)

CROWDS = (
    Event(
        "people", shape.plus, ("At the next stop {a} people got on.", "Then {a} people came in."), PEOPLE, span=(2, 40)
    ),
    Event(
        "people",
        shape.minus,
        ("At the next stop {a} people got off.", "Then {a} people went away."),
        PEOPLE,
        span=(2, 40),
    ),
    Event("people", shape.in_and_out, ("Then {a} people got on and {b} got off.",), (*PEOPLE, *PEOPLE), span=(2, 40)),
    Event(
        "people",
        shape.plus_product,
        ("Then {k} groups of {a} people got on.",),
        ("The groups have {eq} people.", *PEOPLE),
        span=(2, 15),
    ),
    Event(
        "people",
        shape.minus_product,
        ("Then {k} groups of {a} people got off.",),
        ("The groups have {eq} people.", *PEOPLE),
        span=(2, 15),
    ),
    Event(
        "people",
        shape.lose_fraction,
        ("In the next town {f} of the people got off.",),
        ("{eq} people get off.", *PEOPLE),
    ),
    Event(
        "people", shape.lose_percent, ("In the city {p}% of the people got off.",), ("{eq} people get off.", *PEOPLE)
    ),
    Event(
        "people",
        shape.gain_percent,
        ("On the next day there were {p}% more people.",),
        ("{eq} more people come.", *PEOPLE),
    ),
    Event("people", shape.fraction, ("Only {f} of the people stayed until the evening.",), PEOPLE),
    Event("people", shape.percent, ("Only {p}% of the people stayed on the {vehicle}.",), PEOPLE),
    Event("people", shape.times, ("In the summer there were {times} as many people.",), PEOPLE),
    Event(
        "people",
        shape.divide,
        ("All of them sat in groups of {k}.",),
        ("There are {eq} groups.",),
        ask=("How many groups were there?",),
        last=True,
    ),
    Event(
        "people",
        shape.times,
        ("Each of them paid ${k} for a ticket.",),
        ("The people pay {eq} dollars.",),
        ask=("How many dollars did all of them pay?",),
        last=True,
    ),
)

AGES = (
    Event("age", shape.plus, ("{q} is {a} years older than {S}.",), AGED, span=(2, 25), effect="other"),
    Event("age", shape.minus, ("{q} is {a} years younger than {S}.",), AGED, span=(2, 25), effect="other"),
    Event("age", shape.minus, ("{S} is {a} years older than {q}.",), AGED, span=(2, 25), effect="other"),
    Event("age", shape.plus, ("{S} is {a} years younger than {q}.",), AGED, span=(2, 25), effect="other"),
    Event("age", shape.times, ("{q} is {times} as old as {S}.",), AGED, effect="other"),
    Event("age", shape.fraction, ("{q} is {f} as old as {S}.",), AGED, effect="other"),
    Event("age", shape.divide, ("{S} is {times} as old as {q}.",), AGED, effect="other"),
    Event("age", shape.percent, ("The age of {q} is {p}% of the age of {S}.",), AGED, effect="other"),
    Event(
        "age",
        shape.plus,
        ("",),
        ("{S} will be {eq} years old.",),
        ask=("How old will {S} be in {a} years?",),
        span=(2, 20),
        last=True,
    ),
    Event(
        "age",
        shape.minus,
        ("",),
        ("{S} was {eq} years old.",),
        ask=("How old was {S} {a} years ago?",),
        span=(2, 20),
        last=True,
    ),
    Event(
        "age",
        shape.total,
        ("",),
        ("Together they are {eq} years old.",),
        ask=("How old are {P} and {S} together?", "What is the sum of the ages of {P} and {S}?"),
        last=True,
    ),
    Event(
        "age",
        shape.difference,
        ("",),
        ("The difference is {eq} years.",),
        ask=("How many years is {rich} older than {poor}?", "How many years is {poor} younger than {rich}?"),
        last=True,
    ),
)

EVENTS = (*BOOKS, *TANKS, *CROWDS, *AGES)
