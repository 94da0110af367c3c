"""No link of any page is dead, and no page is out of reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, every_page, name_of, prose

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MOST_LINES = 200


def dead_links(page: Path, text: str) -> Iterator[str]:
    """Yield the relative links of a page that lead nowhere."""
    for target in _LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        is_here = file.exists() and file.is_relative_to(ROOT)
        if not is_here or (anchor and anchor not in anchors(text if file == page else file.read_text("utf-8"))):
            yield target


@pytest.mark.parametrize("page", every_page(), ids=name_of)
def test_no_link_is_dead(page: Path) -> None:
    assert [] == list(dead_links(page, page.read_text("utf-8")))


@pytest.mark.parametrize("target", ["docs/no-such-page.md", "LICENSE#nowhere", "#nowhere", "../outside.md"])
def test_a_dead_link_is_found(target: str) -> None:
    assert [target] == list(dead_links(ROOT / "README.md", f"# Somewhere\n\nsee [there]({target})\n"))


@pytest.mark.parametrize("target", ["LICENSE", "#some-where", "docs/errors.md#what-to-do", "https://example.org/x"])
def test_a_live_link_is_passed(target: str) -> None:
    assert [] == list(dead_links(ROOT / "README.md", f"# Some `where`\n\nsee [there]({target})\n"))


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = (target.partition("#")[0] for target in _LINK.findall(page.read_text("utf-8")))
        linked = {
            (page.parent / target).resolve() for target in targets if target.endswith(".md") and ":" not in target
        }
        waiting += linked - reached
    assert set() == set(ROOT.joinpath("docs").rglob("*.md")) - reached


@pytest.mark.parametrize("page", sorted(ROOT.joinpath("docs").rglob("*.md")), ids=name_of)
def test_a_page_of_the_docs_is_short(page: Path) -> None:
    assert len(page.read_text("utf-8").splitlines()) <= _MOST_LINES
