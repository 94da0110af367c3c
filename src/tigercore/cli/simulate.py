"""`tigercore simulate`: hand over to the simulator."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Annotated

from cyclopts import Parameter

from tigercore.cli._exit import UsageError

_MODULE = "tigercore_simulator"


def simulate(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Start the simulated gateway in place of this process, with the same arguments."""
    if importlib.util.find_spec(_MODULE) is None:
        raise UsageError("the simulator is not here: install tigercore-simulator")
    os.execv(sys.executable, [sys.executable, "-m", _MODULE, *arguments])  # noqa: S606  (no shell is wanted)
