"""The words that change with the subject of a sentence."""

from __future__ import annotations

from collections.abc import Mapping

_VERBS = {
    "gets": "get",
    "keeps": "keep",
    "sells": "sell",
    "buys": "buy",
    "spends": "spend",
    "goes": "go",
    "needs": "need",
    "reads": "read",
}
_ONE: Mapping[str, str] = {"has": "has", "does": "does", **{verb: verb for verb in _VERBS}}

SHE: Mapping[str, str] = {"pronoun": "she", "his": "her", "him": "her", **_ONE}
HE: Mapping[str, str] = {"pronoun": "he", "his": "his", "him": "him", **_ONE}
IT: Mapping[str, str] = {"pronoun": "it", "his": "its", "him": "it", **_ONE}
THEY: Mapping[str, str] = {"pronoun": "they", "his": "their", "him": "them", "has": "have", "does": "do", **_VERBS}


def sentence(text: str) -> str:
    """
    >>> sentence("half of them were red.")
    'Half of them were red.'
    """
    return text[:1].upper() + text[1:]
