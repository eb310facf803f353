"""What one entry of the wording tables is: something that happens in a story, and the arithmetic that it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from reasonwright.tasks.word_problems.arithmetic import Shape


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """The start of a story, or something that happens in it.

    Places in the texts: `{s}` the subject (name or pronoun), `{S}` always its name, `{his}` `{him}` `{has}` `{does}` to
    fit it; `{x}` the items; `{q}` the next person, `{P}` the person before; `{a}` `{b}` `{k}` `{p}` numbers, `{f}` a
    fraction, `{times}` "twice" or "3 times"; `{thing}` `{things}` what is bought.
    """

    topic: str
    """"items", "money", … : in stories about what it may stand."""
    shape: Shape
    texts: tuple[str, ...]
    """Wordings to choose from; "" for something that only the question tells."""
    says: tuple[str, ...]
    """For each operation the sentence of the worked solution, `{eq}` where the equation stands."""
    ask: tuple[str, ...] = ()
    """Questions where the story ends here; without them the topic's own."""
    who: str = "pton"
    """Subjects that fit: p one person, t two people together, o a business, n nobody."""
    kinds: frozenset[str] = frozenset()
    """Kinds of item that fit; empty: all."""
    span: tuple[int, int] = (2, 60)
    """Range of `{a}`, or of the start's `{n}`."""
    to: str = ""
    """Topic afterwards, where it changes."""
    items: str = ""
    """Items afterwards, where they change: "boxes", or "?" for those that were bought."""
    effect: str = ""
    """"other": the next person is spoken of, and the quantity so far is the person's before; "friend": the next
    person, and nothing is left to compare with; "both": the two together."""
    last: bool = False
    """Only as the story's end."""

    @property
    def cost(self) -> int:
        """Number of operations."""
        return len(self.says)
