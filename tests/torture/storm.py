"""A rotation in a storm: `python -m tests.torture.storm FOLDER SECONDS SEED [BUG]`.

Writers, rewrappers and new programs on one SQLite file are killed or paused at random moments, and started again, while
a program that was opened before everything, and one that looks at the tables from outside, see whether any invariant
breaks. It prints figures and what broke; the status is 0 if nothing did.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import final

import attrs

from tests.torture import bugs
from tests.torture.installation import database, integrity, key_states, opened, prepare, rows_below
from tests.torture.ledger import Ledger, count, tally, violate, violations
from tests.torture.roles import SHARED, Newcomer, Rewrapper, Role, Veteran, Watcher, Writer, compare, numbers
from tests.torture.zygote import ended, fork, kill

WRITERS, REWRAPPERS, NEWCOMERS = 8, 3, 2
STRIKES_A_SECOND = 6.0
PAUSES = 0.25  # the share of strikes that only stop a process for a while: then it goes on with what it had read
LONGEST_PAUSE = 1.5  # seconds: more than a rotation takes, less than others wait for a lock
PATIENCE = 60.0  # seconds that anybody who is not killed has to end


@final
@attrs.define
class Storm:
    """Keep the cast on the stage; kill and pause."""

    folder: Path
    rng: random.Random
    mortal: dict[int, str] = attrs.field(factory=dict)
    spared: dict[int, str] = attrs.field(factory=dict)
    paused: dict[int, float] = attrs.field(factory=dict)

    def run(self, seconds: float) -> None:
        """Raise the storm, and end it at the first violation."""
        self._begin()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not violations(self.folder):
            strike = time.monotonic() + self.rng.expovariate(STRIKES_A_SECOND)
            while time.monotonic() < min(strike, end):
                self._replace_ended()
                self._resume()
                time.sleep(0.005)
            self._strike()
        self._end()

    def _begin(self) -> None:
        veteran = fork(self.folder, Veteran(self.folder, self._rng()))
        deadline = time.monotonic() + PATIENCE
        while not (self.folder / "veteran").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.spared = {veteran: "veteran", fork(self.folder, Watcher(self.folder)): "watcher"}
        cast = [f"writer {slot}" for slot in range(WRITERS)] + ["rewrapper"] * REWRAPPERS + ["newcomer"] * NEWCOMERS
        for name in cast:
            self._start(name)

    def _start(self, name: str) -> None:
        self.mortal[fork(self.folder, self._role(name))] = name

    def _role(self, name: str) -> Role:
        if name == "newcomer":
            return Newcomer(self.folder)
        if name == "rewrapper":
            return Rewrapper(self.folder, self._rng())
        return Writer(self.folder, int(name.split()[1]), self._rng())

    def _rng(self) -> random.Random:
        return random.Random(self.rng.getrandbits(64))

    def _replace_ended(self) -> None:
        while any(self.mortal) or any(self.spared):
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            name = self.mortal.pop(child, None) or self.spared.pop(child)
            self.paused.pop(child, None)
            if name != "newcomer" or status:
                violate(self.folder, f"{name} ended by itself, with status {os.waitstatus_to_exitcode(status)}")
                return
            self._start(name)

    def _strike(self) -> None:
        if not self.mortal:
            return
        victim = self.rng.choice(list(self.mortal))
        if self.rng.random() < PAUSES:
            os.kill(victim, signal.SIGSTOP)
            self.paused[victim] = time.monotonic() + self.rng.uniform(0, LONGEST_PAUSE)
            count(self.folder, f"pauses of a {self.mortal[victim].split()[0]}")
            return
        name = self.mortal.pop(victim)
        self.paused.pop(victim, None)
        kill(victim)
        count(self.folder, f"kills of a {name.split()[0]}")
        self._start(name)

    def _resume(self) -> None:
        for child in [child for child, until in self.paused.items() if until < time.monotonic()]:
            del self.paused[child]
            os.kill(child, signal.SIGCONT)

    def _end(self) -> None:
        for child in self.mortal:
            kill(child)
        (self.folder / "over").touch()
        for child, name in self.spared.items():
            if ended(child, PATIENCE) != 0:
                violate(self.folder, f"{name} did not end well")


async def judge(folder: Path) -> None:
    """See, when all is over, whether everything is there, and whether a rotation brings the ring to rest."""
    async with opened(folder) as tiger:
        for slot in range(WRITERS):
            await compare(tiger, folder, Ledger(folder, slot), slot, "judge")
        status = await tiger.keys.rotate()
        found = await tiger.keys.verify()
        for fault in found.faults:
            violate(folder, f"judge: {fault}")
        active = next(key for key in status.keys if key.version == status.active)
        if active.rows != sum(key.rows for key in status.keys):
            violate(folder, f"judge: after a rotation the rows of the keys are {[key.rows for key in status.keys]}")
    with closing(database(folder)) as connection:
        states = key_states(connection)
        if states.get("active") != 1 or not states.keys() <= {"active", "retired", "destroyed"}:
            violate(folder, f"judge: the ring's keys are {states}")
        if rows_below(connection)[1]:
            violate(folder, "judge: rows are below min_decrypt")
    print(f"  {sum(states.values()) - 1} keys were rotated in", flush=True)
    if (verdict := integrity(folder)) != "ok":
        violate(folder, f"judge: integrity_check: {verdict}")


def main(folder: Path, seconds: float, seed: int, bug: str) -> int:
    print(f"storm: seed {seed}, {seconds:g} s, planted bug: {bug or 'none'}", flush=True)
    bugs.plant(bug)
    began = time.monotonic()
    accounts = [SHARED, *(number for slot in range(WRITERS) for number in numbers(slot))]
    if ended(fork(folder, partial(prepare, folder, accounts)), PATIENCE) == 0:
        Storm(folder, random.Random(seed)).run(seconds)
        if not violations(folder) and ended(fork(folder, partial(judge, folder)), PATIENCE) is None:
            violate(folder, "judge: it did not come to an end")
    for what, times in sorted(tally(folder).items()):
        print(f"  {times:6} {what}")
    broken = violations(folder)
    print(f"  {time.monotonic() - began:.1f} s; {len(broken)} violations; run it again: --seed {seed}")
    print("\n".join(broken[:20]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), (*sys.argv[4:], "")[0]))
