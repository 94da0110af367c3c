"""What a process that holds keys does about itself."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # <sys/prctl.h>


def harden() -> None:
    """Leave no core file, and let no other process of this user read our memory. Root on this host still can."""
    with suppress(ImportError, ValueError, OSError):  # no such limit on this system, or it is lower already
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
