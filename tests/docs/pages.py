"""The documents as text: which there are, their headings, their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import final

import attrs

ROOT = Path(__file__).parent.parent.parent
NOT_RUN = "<!-- not run -->"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def every_page() -> list[Path]:
    """Return every Markdown file of the repository, none of what tools have put beside it."""
    found = [*ROOT.glob("*.md")]
    for folder in ("docs", "plugins", "contrib", "benchmarks", "src", "tests"):
        found += (path for path in ROOT.joinpath(folder).rglob("*.md") if not _is_hidden(path.relative_to(ROOT)))
    return sorted(found)


def pages_with_code() -> list[Path]:
    """Return the pages whose blocks are tried."""
    return [page for page in every_page() if page.parent == ROOT or page.is_relative_to(ROOT / "docs")]


def name_of(page: Path) -> str:
    """Return the name of a page in a test's id."""
    return page.relative_to(ROOT).as_posix()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "dist", "node_modules")) for part in path.parts)


@final
@attrs.frozen
class Block:
    """A fenced block: its language, its text, the line that it begins at, and whether it is to be run."""

    language: str
    text: str
    line: int
    runs: bool


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in their order."""
    for found in _BLOCK.finditer(text):
        before = text[: found.start()]
        runs = not before.rstrip("\n").endswith(NOT_RUN)
        yield Block(found[1], found[2], before.count("\n") + 2, runs)


def prose(text: str) -> str:
    """Return a page without its blocks."""
    return _BLOCK.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the usual viewers make them."""
    made: set[str] = set()
    for heading in _HEADING.findall(prose(text)):
        words = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        made.add(next(each for each in _numbered(slug) if each not in made))
    return made


def _numbered(slug: str) -> Iterator[str]:
    yield slug
    number = 0
    while True:
        number += 1
        yield f"{slug}-{number}"
