"""A fleet under torture (T1-T6): `python -m tests.torture.fleet FOLDER SECONDS SEED BACKEND GATEWAY [BUG]`.

Four processes keep the tokens of twenty developers alive against one gateway, strict or lenient, that loses and delays
replies. They are killed, and paused for longer than a lease; their clocks are wrong by up to an hour and step; with
`crashing` as GATEWAY it is strict, and the database crashes besides. With SECONDS 0: 500 kills and 100 pauses. It
prints figures and what broke; the status is 0 if nothing did.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import final

import attrs
import trio

from tests.servers import MissingServer
from tests.servers.postgres import PostgresServer, postgres_server
from tests.torture import token_bugs
from tests.torture.backends import BACKENDS, MISSING, Backend, postgres_backend
from tests.torture.fleet_gateway import Gateway
from tests.torture.fleet_installation import LEASE, SETTLE, TIMEOUT, SkewedClock, opened, prepare
from tests.torture.ledger import count, receive, tally, violate, violations
from tests.torture.zygote import ended, fork, kill
from tigercore import Tigercore
from tigercore import _refresh as rules
from tigercore.errors import StoreUnavailable, TigerCoreError
from tigercore.model import TigerAccount, Token
from tigercore.ports import TokenAttempt

WORKERS = 4
KILLS, PAUSES = 500, 100
HOUR = 3600.0
PATIENCE = 60.0
CHECKED = LEASE * 0.9 - TIMEOUT  # after a lease was asked for, the last moment at which its request is let go
LONGEST = LEASE + SETTLE - CHECKED - 2 * TIMEOUT - 0.2
"""Seconds of a pause after which the slowest request still meets no other (reliability 3.4, A1)."""


@final
@attrs.frozen
class Worker:
    """Be a program that refreshes tokens by schedule, and uses them, until it is killed."""

    folder: Path
    backend: Backend
    rng: random.Random

    async def __call__(self) -> None:
        while not (self.folder / "over").exists():
            with suppress(StoreUnavailable):  # at the start: whoever supervises programs starts this one again
                await self._live()
            await trio.sleep(0.1)

    async def _live(self) -> None:
        clock = SkewedClock(self.rng.choice([0.0, -HOUR, HOUR, self.rng.uniform(-HOUR, HOUR)]))
        async with opened(self.folder, self.backend, clock=clock) as tiger:
            self._tell_what_is_received(tiger)
            accounts = await tiger.accounts.list_accounts()
            while not (self.folder / "over").exists():
                account = self.rng.choice(accounts)
                try:
                    if self.rng.random() < 0.1:
                        await tiger.tokens.refresh_token(account)
                    else:
                        await tiger.execute("positions", account=account)
                    count(self.folder, "calls that were answered")
                except TigerCoreError as error:
                    count(self.folder, f"calls that failed: {type(error).__name__}")
                if self.rng.random() < 0.02:
                    clock.step(self.rng.uniform(-HOUR, HOUR))
                await trio.sleep(self.rng.uniform(0, 0.05))

    def _tell_what_is_received(self, tiger: Tigercore) -> None:
        """Write down each token that is in the journal: from then on it may not be lost."""
        keeper = tiger.tokens._source._refresher._keeper
        note = keeper.note

        async def note_and_tell(account: TigerAccount, attempt: TokenAttempt, fresh: Token) -> None:
            await note(account, attempt, fresh)
            receive(self.folder, str(attempt.id))

        keeper.note = note_and_tell  # type: ignore[method-assign]


@final
@attrs.define
class Fleet:
    """Keep the workers going; kill and pause them."""

    folder: Path
    backend: Backend
    rng: random.Random
    bug: str
    server: PostgresServer | None
    workers: list[int] = attrs.field(factory=list)
    paused: dict[int, float] = attrs.field(factory=dict)
    kills: int = 0
    pauses: int = 0
    crash_at: float = 0.0

    def run(self, seconds: float) -> None:
        """Strike until the time, or all strikes, are over."""
        for _ in range(WORKERS):
            self._start()
        end = time.monotonic() + (seconds or HOUR)
        while time.monotonic() < end and not violations(self.folder):
            if self.kills >= KILLS and self.pauses >= PAUSES:
                break
            strike = time.monotonic() + self.rng.expovariate(6.0)
            while time.monotonic() < strike:
                self._resume()
                self._crash()
                time.sleep(0.005)
            self._strike()
        for worker in list(self.paused):
            os.kill(worker, signal.SIGCONT)

    def _start(self) -> None:
        worker = Worker(self.folder, self.backend, random.Random(self.rng.getrandbits(64)))
        self.workers.append(fork(self.folder, token_bugs.planted(self.bug, worker)))

    def _strike(self) -> None:
        awake = [worker for worker in self.workers if worker not in self.paused]
        if not awake:
            return
        victim = self.rng.choice(awake)
        if self.rng.random() < 0.2 and self.pauses < PAUSES:
            os.kill(victim, signal.SIGSTOP)
            self.paused[victim] = time.monotonic() + self.rng.uniform(LEASE * 1.05, LONGEST)
            self.pauses += 1
            count(self.folder, "pauses longer than a lease")
            return
        if self.kills < KILLS:
            self.workers.remove(victim)
            kill(victim)
            self.kills += 1
            count(self.folder, "kills")
            self._start()

    def _resume(self) -> None:
        for worker in [worker for worker, until in self.paused.items() if until < time.monotonic()]:
            late = time.monotonic() - self.paused.pop(worker)
            os.kill(worker, signal.SIGCONT)
            if late > 0.1:
                count(self.folder, "pauses that this machine drew out")

    def _crash(self) -> None:
        if self.server is None or time.monotonic() < self.crash_at or self.paused:  # none is to last longer for this
            return
        if self.crash_at:
            self.server.stop("immediate")
            time.sleep(self.rng.uniform(0, 0.3))
            self.server.start()
            count(self.folder, "crashes of the database")
        self.crash_at = time.monotonic() + self.rng.uniform(0.5, 2.0)


def torture(fleet: Fleet, seconds: float, mode: str) -> None:
    """Let it all happen."""
    folder, backend = fleet.folder, fleet.backend
    gateway = fork(folder, Gateway(folder, backend, lenient=mode == "lenient"))
    _wait_for(folder / "gateway.json")
    if ended(fork(folder, partial(prepare, folder, backend)), PATIENCE) != 0:
        violate(folder, "the accounts could not be made")
    (folder / "ready").touch()
    fleet.run(seconds)
    for worker in fleet.workers:
        kill(worker)
    (folder / "over").touch()
    if ended(gateway, PATIENCE) != 0:
        violate(folder, "the gateway did not end well")


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def main(folder: Path, seconds: float, seed: int, kind: str, mode: str, bug: str) -> int:
    print(f"fleet: seed {seed}, {seconds or 'all strikes'}, {kind}, {mode}, planted bug: {bug or 'none'}", flush=True)
    rules._BACK_OFF = timedelta(seconds=1)  # so that a refresh that failed is tried again within this run
    rules._BACK_OFF_MOST = timedelta(seconds=2)
    began = time.monotonic()
    try:
        with ExitStack() as stack:
            server = stack.enter_context(postgres_server("fsync=on")) if mode == "crashing" else None
            if server is None:
                backend = stack.enter_context(BACKENDS[kind](folder))("fleet")
            else:
                backend = postgres_backend(server.create_database("fleet"))
            torture(Fleet(folder, backend, random.Random(seed), bug, server), seconds, mode)
    except MissingServer as error:
        print(error)
        return MISSING
    for what, times in sorted(tally(folder).items()):
        print(f"  {times:6} {what}")
    broken = violations(folder)
    print(f"  {time.monotonic() - began:.1f} s; {len(broken)} violations; seed {seed}")
    print("\n".join(broken[:20]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6], (*sys.argv[6:], "")[0]))
