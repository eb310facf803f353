"""Stories of money that somebody has, and of a bill that somebody has to pay."""

from __future__ import annotations

from reasonwright.tasks.word_problems import arithmetic as shape
from reasonwright.tasks.word_problems.event import Event

HAS = ("{S} {has} {eq} dollars.",)
Q_HAS = ("{q} has {eq} dollars.",)
BILL = ("The bill is {eq} dollars.",)
PAY = ("They cost {eq} dollars.",)
ASKS = {
    "money": (
        "How much money {does} {S} have now?",
        "How many dollars {does} {S} have now?",
        "How much money {does} {S} have in the end?",
    ),
    "bill": (
        "How much {does} {S} have to pay?",
        "How many dollars {does} {S} have to pay?",
        "How much is the bill now?",
    ),
}

STARTS = (
    Event("money", shape.given, ("{S} had ${n}.", "{S} had saved ${n}."), (), who="p", span=(10, 99)),
    Event(
        "money",
        shape.product,
        ("{S} worked {k} hours for ${a} an hour.", "{S} saved ${a} a week for {k} weeks."),
        HAS,
        who="p",
        span=(4, 30),
    ),
    Event("money", shape.addition, ("{S} earned ${a} on Monday and ${b} on Tuesday.",), HAS, who="p", span=(5, 80)),
    Event("bill", shape.product, ("{S} bought {k} {things} for ${a} each.",), PAY, who="p", span=(2, 30)),
    Event(
        "bill",
        shape.product_and_one,
        ("{S} bought {k} {things} for ${a} each and a {thing} for ${b}.",),
        ("The {things} cost {eq} dollars.", *BILL),
        who="p",
        span=(2, 25),
    ),
    Event(
        "bill",
        shape.given,
        ("{S} ordered food for ${n}.", "{S} wanted to buy a {thing} for ${n}."),
        (),
        who="p",
        span=(10, 90),
    ),
)

MONEY = (
    Event("money", shape.plus, ("{s} earned ${a} by washing cars.",), HAS, who="pt"),
    Event("money", shape.plus, ("{his} aunt gave {him} ${a}.",), HAS, who="pt"),
    Event("money", shape.plus, ("{s} sold an old table for ${a}.",), HAS),
    Event("money", shape.minus, ("{s} spent ${a} on a {thing}.",), HAS, who="pt", span=(2, 50)),
    Event("money", shape.minus, ("{s} paid ${a} for lunch.",), HAS, who="pt", span=(2, 30)),
    Event("money", shape.minus, ("{s} paid ${a} to have a window mended.",), HAS),
    Event("money", shape.times, ("A month later {s} had {times} as much money.",), HAS),
    Event(
        "money",
        shape.divide,
        ("{s} shared the money equally among {k} friends. One of the friends was {q}.",),
        ("Each friend gets {eq} dollars.",),
        ask=("How much money did each friend get?", "How many dollars did {q} get?"),
        who="pt",
        effect="friend",
    ),
    Event(
        "money",
        shape.divide,
        ("{s} spent all the money on {things} that cost ${k} each.",),
        ("{S} {buys} {eq} {things}.",),
        ask=("How many {things} did {S} buy?",),
        to="items",
        items="?",
    ),
    Event(
        "money", shape.fraction, ("{s} kept {f} of the money and gave the rest away.",), ("{S} {keeps} {eq} dollars.",)
    ),
    Event(
        "money", shape.percent, ("{s} kept only {p}% of the money and spent the rest.",), ("{S} {keeps} {eq} dollars.",)
    ),
    Event(
        "money",
        shape.lose_fraction,
        ("{s} spent {f} of the money on a {thing}.",),
        ("The {thing} costs {eq} dollars.", *HAS),
        who="pt",
    ),
    Event(
        "money",
        shape.lose_fraction,
        ("{s} gave {f} of the money to {his} sister.",),
        ("The sister gets {eq} dollars.", *HAS),
        who="p",
    ),
    Event(
        "money", shape.lose_percent, ("{s} spent {p}% of the money on food.",), ("The food costs {eq} dollars.", *HAS)
    ),
    Event("money", shape.gain_percent, ("The bank added {p}% to the money.",), ("The bank adds {eq} dollars.", *HAS)),
    Event(
        "money",
        shape.plus_product,
        ("{s} worked {k} hours for ${a} an hour.",),
        ("The work pays {eq} dollars.", *HAS),
        who="pt",
        span=(3, 25),
    ),
    Event(
        "money",
        shape.plus_product,
        ("{s} sold {k} old {things} for ${a} each.",),
        ("The {things} bring {eq} dollars.", *HAS),
        span=(2, 20),
    ),
    Event(
        "money",
        shape.minus_product,
        ("{s} bought {k} {things} for ${a} each.",),
        ("The {things} cost {eq} dollars.", *HAS),
        span=(2, 20),
    ),
    Event(
        "money",
        shape.minus_product,
        ("{s} spent ${a} a day for {k} days.",),
        ("In these days {S} {spends} {eq} dollars.", *HAS),
        span=(2, 25),
    ),
    Event("money", shape.plus, ("{q} had ${a} more than {S}.",), Q_HAS, who="p", effect="other"),
    Event("money", shape.minus, ("{q} had ${a} less than {S}.",), Q_HAS, who="p", effect="other"),
    Event("money", shape.times, ("{q} had {times} as much money as {S}.",), Q_HAS, who="p", effect="other"),
    Event("money", shape.fraction, ("{q} had {f} as much money as {S}.",), Q_HAS, who="p", effect="other"),
    Event(
        "money",
        shape.total,
        ("{P} and {S} put all their money together.",),
        ("Together they have {eq} dollars.",),
        ask=("How much money do they have together?",),
        who="p",
        effect="both",
    ),
    Event(
        "money",
        shape.total,
        ("",),
        ("Together they have {eq} dollars.",),
        ask=("How much money do {P} and {S} have together?",),
        who="p",
        last=True,
    ),
    Event(
        "money",
        shape.difference,
        ("",),
        ("The difference is {eq} dollars.",),
        ask=("How many more dollars does {rich} have than {poor}?",),
        who="p",
        last=True,
    ),
)

BILLS = (
    Event("bill", shape.plus, ("{s} also took a {thing} for ${a}.",), BILL, span=(2, 40)),
    Event("bill", shape.plus, ("Having it all sent home cost ${a} more.",), BILL, span=(2, 20)),
    Event(
        "bill",
        shape.plus_product,
        ("{s} also took {k} {things} for ${a} each.",),
        ("The {things} cost {eq} dollars.", *BILL),
        span=(2, 20),
    ),
    Event("bill", shape.minus, ("{s} had a coupon for ${a} off.",), BILL, span=(2, 30)),
    Event("bill", shape.minus, ("The shop took ${a} off the price.",), BILL, span=(2, 30)),
    Event(
        "bill",
        shape.minus_product,
        ("{s} used {k} coupons of ${a} each.",),
        ("The coupons take off {eq} dollars.", *BILL),
        span=(2, 12),
    ),
    Event(
        "bill",
        shape.lose_percent,
        ("The shop took {p}% off the bill.", "{s} had a coupon for {p}% off."),
        ("The shop takes off {eq} dollars.", *BILL),
    ),
    Event("bill", shape.gain_percent, ("A tax of {p}% was added.",), ("The tax is {eq} dollars.", *BILL)),
    Event("bill", shape.lose_fraction, ("A friend paid {f} of the bill.",), ("The friend pays {eq} dollars.", *BILL)),
    Event("bill", shape.fraction, ("{s} had to pay only {f} of the bill.",), BILL),
    Event("bill", shape.percent, ("{s} had to pay only {p}% of the bill.",), BILL),
    Event(
        "bill",
        shape.divide,
        ("{s} split the bill equally, {k} people in all.",),
        ("Each person pays {eq} dollars.",),
        ask=("How much did each person pay?", "How much {does} {S} have to pay?"),
    ),
    Event("bill", shape.times, ("{s} paid the same bill every week for {k} weeks.",), ("In all it is {eq} dollars.",)),
    Event(
        "bill",
        shape.change,
        ("{s} paid with a note of ${a}.",),
        ("{S} {gets} {eq} dollars back.",),
        ask=("How much money did {S} get back?", "How many dollars did {S} get back?"),
        who="p",
        to="money",
    ),
)

EVENTS = (*MONEY, *BILLS)
