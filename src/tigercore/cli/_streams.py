"""The streams of this process, which may be closed, full, or read by nobody."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn, final


@final
class Nowhere(io.TextIOBase):
    """Stand for a stdout that was closed before this process began: Python has None there, and prints in silence."""

    def write(self, text: str, /) -> NoReturn:
        """Refuse.

        :raises OSError: always.
        """
        raise OSError(errno.EBADF, "stdout is closed")


def open_streams() -> None:
    """Put something that can be written to where the process was given nothing."""
    if getattr(sys, "stdout", None) is None:
        sys.stdout = Nowhere()
    if getattr(sys, "stderr", None) is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (as long as the process)


def write(text: str) -> None:
    """Print a line on stdout, at once.

    :raises OSError: nothing takes it.
    """
    print(text, flush=True)


def complain(text: str) -> None:
    """Print a line on stderr; if nothing takes that either, the exit code has to do."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def settle() -> None:
    """Drop what stdout would not take, over which the end of the process would fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):  # a stream without a descriptor has nothing to redirect
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
