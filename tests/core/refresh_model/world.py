"""What the world is made of: rows, workers, requests under way, all as tuples of small numbers.

A time is the number of ticks from now (past: 0), an age the number since; so equal situations are equal states.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import attrs

from tigercore.model import TokenRefreshStatus, TokenState

DEAD, NONE, REFUSED = -1, -1, -2


class Gateway(IntEnum):
    """What a gateway makes of a token for which it has issued another.

    STRICT: neither calls nor refreshes take it. RECOVERS: refreshes do. GRACE: both do.
    """

    STRICT = 0
    RECOVERS = 1
    GRACE = 2


class Phase(IntEnum):
    """Where a worker stands: between two of these anybody else may act."""

    IDLE = 0
    READ = 1
    LEASED = 3
    FROZEN = 4  # between the check of its deadline and its first byte
    WAITING = 5
    STORING = 6
    DROPPING = 7
    PROBED = 8


class Row(NamedTuple):
    """A token row; `current` is 0 in the memory of a worker if the store has another version by now."""

    state: TokenState
    gen: int
    next_at: int | None
    owner: int | None
    lease: int | None
    current: int


Puts = tuple[tuple[int, Row], ...]
"""Rows that are to be written, with their places in the family."""


class Attempt(NamedTuple):
    """A try; `gen` is the token that the gateway has issued for it."""

    status: TokenRefreshStatus
    recovery: bool
    gen: int = NONE


class Worker(NamedTuple):
    """A process; `age` counts from the claim, later from the check of the deadline."""

    phase: Phase = Phase.IDLE
    rows: tuple[Row, ...] = ()
    age: int = 0
    claimed: bool = False
    attempt: int = NONE
    token: int = NONE
    reply: int = NONE


class Request(NamedTuple):
    """A refresh that can still be carried out, `age` after its sender's check."""

    attempt: int
    token: int
    age: int


class Entry(NamedTuple):
    """A token in the journal of a worker, or of one that is DEAD."""

    attempt: int
    gen: int
    owner: int


class World(NamedTuple):
    """A state; the last four are what may still happen."""

    rows: tuple[Row, ...]
    workers: tuple[Worker, ...]
    newest: int = 0
    kept: int = 0  # the newest token that a worker has begun to store: from there on it must not be lost
    attempts: tuple[Attempt, ...] = ()
    requests: tuple[Request, ...] = ()
    journal: tuple[Entry, ...] = ()
    starts: int = 0
    faults: int = 0
    kills: int = 0
    looks: int = 0


@attrs.frozen
class Setting:
    """How large the world is. `reach`: within so many ticks of its check a request is carried out, or never.

    `freezes`: a worker may stand still for any time behind its check, and with a token in its hands; then tokens may
    be issued without end, and what follows the one of the `horizon` is not looked at.
    """

    siblings: int = 1
    workers: int = 2
    gateway: Gateway = Gateway.STRICT
    lease: int = 2
    settle: int = 2
    timeout: int = 1
    reach: int = 2
    starts: int = 2
    faults: int = 2
    kills: int = 1
    looks: int = 0
    freezes: bool = False
    horizon: int = 99

    def first(self) -> World:
        """Return the state in which all is well."""
        row = Row(TokenState.VALID, 0, 0, None, None, 1)
        rows = (row, *[row._replace(next_at=None)] * (self.siblings - 1))
        bounds = {"starts": self.starts, "faults": self.faults, "kills": self.kills, "looks": self.looks}
        return World(rows, (Worker(),) * self.workers, **bounds)

    def lives(self, world: World, token: int) -> bool:
        """Say whether the gateway takes a token in a call."""
        return token == world.newest or self.gateway is Gateway.GRACE

    def exchanges(self, world: World, token: int) -> bool:
        """Say whether the gateway refreshes a token."""
        return token == world.newest or self.gateway is not Gateway.STRICT
