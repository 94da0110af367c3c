"""What happens to tests whose server is missing: they fail, unless the environment allows to skip them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NoReturn, TypeVar

import pytest

from tests.servers import MissingServer

ALLOWED = "TIGERCORE_ALLOW_MISSING_BACKENDS"

T = TypeVar("T")


@contextmanager
def needed(server: AbstractContextManager[T]) -> Iterator[T]:
    """Start a server that tests need: `with needed(any_server()) as server`. Every fixture of a server does."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(server)
        except MissingServer as error:
            reason = str(error)
        else:
            yield started
            return
    _missing(reason)


def _missing(reason: str) -> NoReturn:
    if os.environ.get(ALLOWED) == "1":
        pytest.skip(reason)
    pytest.fail(f"{reason}\n(`nox -s tests -- --allow-missing-backends` skips what needs it)", pytrace=False)
