"""What the four ports have in common."""

from __future__ import annotations

import logging
import random
from abc import ABC
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar, Self, TypeVar, final

import attrs

from tigercore.clock import Clock

D = TypeVar("D", bound="Driver")


@final
@attrs.frozen
class NoOptions:
    """The options of a driver that has none."""


@final
@attrs.frozen
class DriverContext:
    """What every driver is given: time, randomness and a place to log. Nothing in it is secret."""

    clock: Clock
    rng: random.Random
    log: logging.Logger


class Driver(ABC):  # noqa: B024  (each port adds its own abstract methods)
    """Something that stands behind a port.

    `Options` is a frozen attrs class; the settings' table is structured into it, and an unknown key is an error.
    """

    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any, context: DriverContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def open(cls, options: Any, context: DriverContext) -> AbstractAsyncContextManager[Self]:
        """Open the driver for the time of an `async with`; by default there is nothing to close."""
        return _opened(cls(options, context))


@asynccontextmanager
async def _opened(driver: D) -> AsyncIterator[D]:
    yield driver
