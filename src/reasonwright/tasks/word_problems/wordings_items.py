"""Stories of somebody who has things: apples, stickers, chairs, boxes of them."""

from __future__ import annotations

from reasonwright.tasks.word_problems import arithmetic as shape
from reasonwright.tasks.word_problems.event import Event

HAS = ("{S} {has} {eq} {x}.",)
ASKS = {
    "items": (
        "How many {x} {does} {S} have now?",
        "How many {x} {does} {S} have in the end?",
        "How many {x} {does} {S} have after that?",
    )
}
BAGS = ("The bags hold {eq} {x}.",)

STARTS = (
    Event("items", shape.given, ("{S} had {n} {x}.", "{S} started the day with {n} {x}."), (), span=(5, 99)),
    Event("items", shape.given, ("{S} had a big box with {n} {x} in it.",), (), who="p", span=(10, 150)),
    Event("items", shape.product, ("{S} had {k} bags with {a} {x} in each bag.",), BAGS, who="p", span=(2, 40)),
    Event(
        "items",
        shape.product,
        ("{S} bought {k} bags of {x}. Each bag held {a} {x}.",),
        BAGS,
        who="p",
        span=(2, 40),
    ),
    Event(
        "items",
        shape.addition,
        ("{S} had {a} big {x} and {b} small {x}.", "{S} got {a} {x} on Monday and {b} {x} on Tuesday."),
        HAS,
        who="p",
        span=(4, 80),
    ),
    Event("items", shape.product, ("{S} {made} {a} {x} an hour for {k} hours.",), HAS, who="o", span=(5, 60)),
    Event(
        "items", shape.product, ("{S} had {k} workers, and each of them {made} {a} {x}.",), HAS, who="o", span=(3, 40)
    ),
    Event("items", shape.given, ("{S} {made} {n} {x} in one day.",), (), who="o", span=(20, 200)),
)

MORE_AND_LESS = (
    Event("items", shape.plus, ("{s} bought {a} more {x}.",), HAS),
    Event("items", shape.plus, ("{s} found {a} more {x} at home.",), HAS, who="pt"),
    Event("items", shape.plus, ("{his} uncle gave {him} {a} more {x}.", "A friend gave {him} {a} {x}."), HAS, who="pt"),
    Event("items", shape.plus, ("{s} won {a} {x} in a game.",), HAS, who="pt", kinds=frozenset({"collected"})),
    Event("items", shape.plus, ("{s} picked {a} more {x}.",), HAS, kinds=frozenset({"fruit"})),
    Event("items", shape.plus, ("{s} made {a} more {x}.",), HAS, kinds=frozenset({"baked", "made"})),
    Event("items", shape.minus, ("{s} gave {a} {x} to a friend.",), HAS, who="pt"),
    Event("items", shape.minus, ("{s} lost {a} {x} on the way home.",), HAS, who="pt"),
    Event("items", shape.minus, ("{s} sold {a} {x} at the market.",), HAS),
    Event("items", shape.minus, ("{s} ate {a} of the {x}.",), HAS, (), "pt", frozenset({"fruit", "baked"}), (2, 20)),
    Event("items", shape.minus, ("{a} of the {x} were bad, so {s} threw them away.",), HAS),
    Event("items", shape.plus_product, ("{s} bought {k} bags of {a} {x} each.",), (*BAGS, *HAS), span=(2, 30)),
    Event(
        "items",
        shape.plus_product,
        ("{k} friends gave {him} {a} {x} each.",),
        ("The friends give {eq} {x}.", *HAS),
        who="pt",
        span=(2, 20),
    ),
    Event(
        "items",
        shape.plus_product,
        ("{s} got {a} {x} a day for {k} days.",),
        ("In these days {S} {gets} {eq} {x}.", *HAS),
        span=(2, 40),
    ),
    Event(
        "items",
        shape.minus_product,
        ("{s} gave {a} {x} to each of {k} children.",),
        ("The children get {eq} {x}.", *HAS),
        span=(2, 20),
    ),
    Event(
        "items",
        shape.minus_product,
        ("{s} sold {a} {x} a day for {k} days.", "{s} used {a} {x} a day for {k} days."),
        ("In these days {eq} {x} are gone.", *HAS),
        span=(2, 40),
    ),
)

PARTS = (
    Event("items", shape.times, ("By the end of the month {s} had {times} as many {x}.",), HAS),
    Event("items", shape.times, ("After a year {s} had {times} as many {x}.",), HAS),
    Event(
        "items",
        shape.divide,
        ("{s} shared the {x} equally among {k} friends. One of the friends was {q}.",),
        ("Each friend gets {eq} {x}.",),
        ask=("How many {x} did each friend get?", "How many {x} did {q} get?"),
        who="pt",
        effect="friend",
    ),
    Event(
        "items",
        shape.divide,
        ("{s} shared the {x} equally among {k} children. One of the children was {q}.",),
        ("Each child gets {eq} {x}.",),
        ask=("How many {x} did each child get?", "How many {x} did {q} get?"),
        who="o",
        effect="friend",
    ),
    Event(
        "items",
        shape.divide,
        ("{s} packed all the {x} into boxes of {k}.", "{s} put all the {x} into boxes, {k} in each box."),
        ("The {x} fill {eq} boxes.",),
        ask=("How many boxes did {S} fill?", "How many boxes {does} {S} have now?"),
        kinds=frozenset({"collected", "fruit", "baked", "goods"}),
        items="boxes",
    ),
    Event(
        "items",
        shape.divide,
        ("{s} put the {x} into {k} equal bags and kept only one bag.",),
        ("One bag holds {eq} {x}.",),
        kinds=frozenset({"collected", "fruit", "baked", "goods"}),
    ),
    Event(
        "items", shape.fraction, ("{s} kept only {f} of the {x} and gave the rest away.",), ("{S} {keeps} {eq} {x}.",)
    ),
    Event("items", shape.fraction, ("Only {f} of the {x} were good, and {s} kept those.",), ("{S} {keeps} {eq} {x}.",)),
    Event("items", shape.percent, ("Only {p}% of the {x} were good, and {s} kept those.",), ("{S} {keeps} {eq} {x}.",)),
    Event("items", shape.percent, ("{s} kept {p}% of the {x} and sold the rest.",), ("{S} {keeps} {eq} {x}.",)),
    Event(
        "items",
        shape.lose_fraction,
        ("{s} gave {f} of the {x} to {his} brother.",),
        ("The brother gets {eq} {x}.", *HAS),
        who="p",
    ),
    Event("items", shape.lose_fraction, ("{s} sold {f} of the {x}.",), ("{S} {sells} {eq} {x}.", *HAS)),
    Event("items", shape.lose_percent, ("{s} gave {p}% of the {x} to a school.",), ("The school gets {eq} {x}.", *HAS)),
    Event("items", shape.lose_percent, ("{s} sold {p}% of the {x}.",), ("{S} {sells} {eq} {x}.", *HAS)),
    Event("items", shape.gain_percent, ("{s} then got {p}% more {x}.",), ("{S} {gets} {eq} {x}.", *HAS)),
    Event(
        "items",
        shape.times,
        ("{s} sold all the {x} for ${k} each.", "{s} sold every one of the {x} for ${k}."),
        ("{S} {gets} {eq} dollars.",),
        ask=("How much money did {S} get?", "How many dollars did {S} get for the {x}?"),
        to="money",
    ),
)

TWO_PEOPLE = (
    Event("items", shape.plus, ("{q} had {a} more {x} than {S}.",), ("{q} has {eq} {x}.",), who="p", effect="other"),
    Event("items", shape.minus, ("{q} had {a} fewer {x} than {S}.",), ("{q} has {eq} {x}.",), who="p", effect="other"),
    Event(
        "items",
        shape.minus,
        ("{S} now had {a} more {x} than {q}.",),
        ("{q} has {eq} {x}.",),
        who="p",
        effect="other",
    ),
    Event(
        "items", shape.times, ("{q} had {times} as many {x} as {S}.",), ("{q} has {eq} {x}.",), who="p", effect="other"
    ),
    Event(
        "items", shape.fraction, ("{q} had {f} as many {x} as {S}.",), ("{q} has {eq} {x}.",), who="p", effect="other"
    ),
    Event(
        "items",
        shape.total,
        ("{P} and {S} put all their {x} together.",),
        ("Together they have {eq} {x}.",),
        ask=("How many {x} do they have together?",),
        who="p",
        effect="both",
    ),
    Event(
        "items",
        shape.total,
        ("",),
        ("Together they have {eq} {x}.",),
        ask=("How many {x} do {P} and {S} have together?", "How many {x} do {P} and {S} have in all?"),
        who="p",
        last=True,
    ),
    Event(
        "items",
        shape.difference,
        ("",),
        ("The difference is {eq} {x}.",),
        ask=("How many more {x} does {rich} have than {poor}?", "How many fewer {x} does {poor} have than {rich}?"),
        who="p",
        last=True,
    ),
)

EVENTS = (*MORE_AND_LESS, *PARTS, *TWO_PEOPLE)
