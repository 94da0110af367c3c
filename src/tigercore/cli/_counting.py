"""How far a command is whose end nobody knows: a line on stderr that says what is done, and how many."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting() -> Iterator[Callable[[str, int], None]]:
    """Give a function to call with what is being done and with how many it is done; on a terminal it is shown."""
    if not sys.stderr.isatty():
        yield lambda what, done: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda what, done: status.update(f"{what} {done:,}" if done else what)
