"""Puts a story together: a start, a chain of events, a question."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field
from random import Random

from reasonwright.tasks.word_problems import grammar
from reasonwright.tasks.word_problems.arithmetic import (
    HIGHEST,
    LOWEST,
    USUAL_HIGHEST,
    USUAL_SHARE,
    Op,
    Operand,
    Step,
    calculate,
)
from reasonwright.tasks.word_problems.distractors import DISTRACTOR_SHARE, distractor
from reasonwright.tasks.word_problems.event import Event
from reasonwright.tasks.word_problems.tables import ASKS, EVENT_TABLE, START_TABLE, TOPICS
from reasonwright.tasks.word_problems.vocabulary import (
    BOYS,
    BUSINESSES,
    FOR_SALE,
    FRACTIONS,
    GIRLS,
    ITEMS,
    ONE_FOR_SALE,
    VEHICLES,
    WORK,
    multiple,
)

BUSINESS_SHARE = 0.3
"""Share of the stories about things in which a business has them."""
OLDEST = 99
PEOPLE = "".join(chr(0xE000 + i) for i in range(14))
"""Stand-ins for names, until `cast`: one character each from the private-use area."""

Plot = tuple[str, str]
"""Topic and subject."""
Cast = dict[str, str]
"""Name of each stand-in."""
_CONNECTIVES = ("Then ", "Later ", "After that ")


@dataclass(slots=True)
class Story:
    """What is told so far, and the quantity that it is about."""

    topic: str
    words: dict[str, str | int]
    """What stands at the places of the texts."""
    girl_first: bool
    """Girls and boys take turns, so that a pronoun says who is meant; the first is a girl."""
    who: str
    """The subject: p one person, t two together, o a business, n nobody."""
    entered: int = 0
    """How many people the story has turned to."""
    kind: str = ""
    """Kind of the items."""
    n: tuple[int, int] = (0, -1)
    """The quantity now, and the step that gave it (-1: the text)."""
    side: tuple[int, int] | None = None
    """The same of the person before."""
    fresh: bool = True
    """The subject has to be named again."""
    sentences: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    used: list[Event] = field(default_factory=list)
    past: set[int] = field(default_factory=set)
    """Every quantity that the story was about."""
    told: set[int] = field(default_factory=set)
    """Every number in the text that matters."""
    question: str = ""

    def turn_to_next(self) -> None:
        """The next person becomes the subject."""
        self.words |= grammar.SHE if (self.entered % 2 == 0) == self.girl_first else grammar.HE
        self.words |= {"S": PEOPLE[self.entered], "q": PEOPLE[self.entered + 1]}
        self.entered += 1
        self.who, self.fresh = "p", True

    @property
    def text(self) -> str:
        """The whole question, its people not yet named."""
        return " ".join([*self.sentences, self.question])


def tell(rng: Random, steps: int, plot: Plot) -> Story:
    """A story with exactly so many operations."""
    while (story := _attempt(rng, plot, steps)) is None:
        pass
    return story


def draw_plot(rng: Random) -> Plot:
    """What a story is to be about. Drawn apart from `tell`, so that plots keep their shares however often one fails."""
    topic = rng.choices(list(TOPICS), list(TOPICS.values()))[0]
    if topic == "people":
        return topic, "n"
    return topic, "o" if topic == "items" and rng.random() < BUSINESS_SHARE else "p"


def cast(rng: Random, story: Story) -> Cast:
    """Names for the people of a story."""
    pairs = (story.entered + 1) // 2
    first, second = (GIRLS, BOYS) if story.girl_first else (BOYS, GIRLS)
    names = zip(rng.sample(first, pairs), rng.sample(second, pairs), strict=True)
    return dict(zip(PEOPLE, (name for pair in names for name in pair), strict=False))


def named(text: str, names: Cast) -> str:
    """The text with its people named."""
    for person, name in names.items():
        text = text.replace(person, name)
    return text


def _attempt(rng: Random, plot: Plot, steps: int) -> Story | None:
    topic, who = plot
    cap = OLDEST if topic == "age" else USUAL_HIGHEST if rng.random() < USUAL_SHARE else HIGHEST
    story = _open(rng, topic, who)
    start = rng.choice([e for e in START_TABLE[plot] if e.cost <= steps])
    if not _happen(rng, story, start, cap, start.cost == steps):
        return None
    aside = rng.random() * 2 if rng.random() < DISTRACTOR_SHARE else None  # below 1: after the start, else at the end
    if aside is not None and aside < 1:
        _digress(rng, story)
    while len(story.steps) < steps:
        if not _continue(rng, story, steps - len(story.steps), cap):
            return None
    if aside is not None and aside >= 1:
        _digress(rng, story)
    story.question = story.question or rng.choice(ASKS[story.topic]).format_map(story.words)
    return story


def _open(rng: Random, topic: str, who: str) -> Story:
    story = Story(topic, {"vehicle": rng.choice(VEHICLES)}, girl_first=rng.random() < 0.5, who=who)
    if who == "o":
        story.kind = rng.choice(tuple(BUSINESSES))
        story.words |= {**grammar.IT, "S": "the " + rng.choice(BUSINESSES[story.kind]), "q": PEOPLE[0]}
        story.words["made"] = WORK[story.kind]
    elif who == "n":
        story.words |= {**grammar.IT, "S": "", "q": ""}
    else:
        story.kind = rng.choice(("collected", "fruit", "baked", "goods"))
        story.turn_to_next()
    story.words["x"] = rng.choice(ITEMS[story.kind]) if story.kind else ""
    return story


def _digress(rng: Random, story: Story) -> None:
    text, number = distractor(rng, story.topic, story.who)
    story.sentences.append(text.format_map({**story.words, "d": number}))
    story.fresh = True


def _continue(rng: Random, story: Story, left: int, cap: int) -> bool:
    events, weights = EVENT_TABLE[story.topic, story.who]
    for attempt in range(24):
        event = events[bisect(weights, rng.random() * weights[-1])]
        stale = event in story.used if attempt < 16 else event is story.used[-1]
        if stale or event.cost > left or (event.last and event.cost != left):
            continue
        if event.kinds and story.kind not in event.kinds:
            continue
        if _happen(rng, story, event, cap, event.cost == left):
            return True
    return False


def _happen(rng: Random, story: Story, event: Event, cap: int, ends: bool) -> bool:
    """Tell an event, unless the quantities do not allow it."""
    plan = event.shape(rng, story.n[0], cap, event.span)
    steps = None if plan is None else _calculate(story, plan[1], cap)
    if plan is None or steps is None:
        return False
    numbers = set(plan[0].values())
    if steps and (steps[-1][3] in story.past or (ends and steps[-1][3] in numbers | story.told)):
        return False  # nothing is undone, and the answer does not stand in the question
    story.told |= numbers
    words = story.words
    words |= plan[0]
    words["s"] = words["S"] if story.fresh or rng.random() < 0.35 else words["pronoun"]
    words["f"], words["times"] = FRACTIONS.get(plan[0].get("f", 0), ""), multiple(plan[0].get("k", 0))
    words["things"], words["thing"], words["eq"] = rng.choice(FOR_SALE), rng.choice(ONE_FOR_SALE), "@="
    if story.side is not None:
        pair = (words["S"], words["P"])
        words["rich"], words["poor"] = pair if story.n[0] > story.side[0] else pair[::-1]
    text = rng.choice(event.texts)
    if text.startswith("{s}") and " then " not in text and story.used and story.topic != "age" and rng.random() < 0.25:
        text = rng.choice(_CONNECTIVES) + text
    if text:
        story.sentences.append(grammar.sentence(text.format_map(words)))
    for (left, op, right, result, left_from, right_from), phrase in zip(steps, event.says, strict=True):
        said = grammar.sentence(phrase.format_map(words))
        story.steps.append(Step(left, op, right, result, said, left_from, right_from))
    if ends and event.ask:
        story.question = rng.choice(event.ask).format_map(words)
    before = story.n
    story.n = (steps[-1][3], len(story.steps) - 1) if steps else (plan[0]["n"], -1)
    story.past.add(story.n[0])
    story.fresh = False
    story.used.append(event)
    _turn(rng, story, event, before)
    return True


def _turn(rng: Random, story: Story, event: Event, before: tuple[int, int]) -> None:
    """What an event changes beside the quantity: of whom and of what the story tells."""
    words = story.words
    if event.effect == "other":
        story.side, words["P"] = before, words["S"]
        story.turn_to_next()
    elif event.effect == "friend":
        story.side = None
        story.turn_to_next()
    elif event.effect == "both":
        story.side, story.who = None, "t"
        words |= {**grammar.THEY, "S": "they"}
    if event.to or event.items:
        story.side, story.topic = None, event.to or story.topic
        if event.items == "?":
            story.kind, words["x"] = "goods", words["things"]
        elif event.items:
            story.kind, words["x"] = event.items, event.items


def _calculate(
    story: Story, operations: list[tuple[Operand, Op, Operand]], cap: int
) -> list[tuple[int, Op, int, int, int, int]] | None:
    """(left, op, right, result, left_from, right_from) of each operation; None where a value leaves its range."""
    known: dict[Operand, tuple[int, int]] = {"n": story.n}
    if story.side is not None:
        known |= {"side": story.side, "high": max(story.side, story.n), "low": min(story.side, story.n)}
    steps: list[tuple[int, Op, int, int, int, int]] = []
    for left, op, right in operations:
        if steps:
            known["prev"] = (steps[-1][3], len(story.steps) + len(steps) - 1)
        (a, a_from), (b, b_from) = ((x, -1) if isinstance(x, int) else known.get(x, (0, -1)) for x in (left, right))
        result = calculate(a, op, b) if a and b else None
        if result is None or result < LOWEST or result > (HIGHEST if left == "side" else cap):
            return None
        steps.append((a, op, b, result, a_from, b_from))
    return steps
