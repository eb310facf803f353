"""Reading the report back as a browser would: its elements, their attributes and the text one sees."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """All start tags with their attributes, the visible text, and the tags left open."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is written on the page, white space folded."""
        return " ".join("".join(self.words).split())


def read_page(run: Path) -> Page:
    return Page((run / "report.html").read_text(encoding="utf-8"))


def charts(html: str) -> list[ElementTree.Element]:
    """Each inline SVG, parsed as XML."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg .*?</svg>", html, flags=re.DOTALL)]


def coordinates(svg: ElementTree.Element) -> list[str]:
    """Every number in the attributes that place something."""
    places = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "d", "viewBox")
    return [node.attrib[name] for node in svg.iter() for name in places if name in node.attrib]
