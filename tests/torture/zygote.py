"""Processes by `os.fork`, from one that has imported everything, and has never run trio nor opened a cipher."""

from __future__ import annotations

import ctypes
import os
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from tests.torture.ledger import violate

Work = Callable[[], Awaitable[None]]
_libc = ctypes.CDLL(None)
_DIE_WITH_PARENT = 1, signal.SIGKILL  # prctl(PR_SET_PDEATHSIG)
_ANY_TRACER = 0x59616D61, ctypes.c_ulong(-1)  # PR_SET_PTRACER, PR_SET_PTRACER_ANY


def fork(folder: Path, work: Work) -> int:
    """Run the work in a new process and return its id; an error that leaves it is a violation."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        _libc.prctl(*_DIE_WITH_PARENT, 0, 0, 0)
        trio.run(work)
        status = 0
    except BaseException:
        violate(folder, traceback.format_exc())
    finally:
        os._exit(status)


def ended(child: int, seconds: float) -> int | None:
    """Wait for a process and return its status, -9 if it was killed; None if it takes too long, and then kill it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    kill(child)
    return None


def kill(child: int) -> None:
    """Kill a process of ours, and see it off."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def allow_tracing() -> None:
    """Let strace, which is no parent of this process, trace it."""
    _libc.prctl(*_ANY_TRACER, 0, 0, 0)
