"""What the contract suites have in common."""

from __future__ import annotations

import inspect
from typing import Any

import pytest


class Contract:
    """A suite of laws: subclass it, override its fixture, and pytest collects the laws.

    Async laws carry the trio mark themselves, so that they run with and without `trio_mode`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, law in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(law):
                setattr(cls, name, pytest.mark.trio(law))
