"""PostgreSQL crashes under load: `python -m tests.torture.outages FOLDER SECONDS SEED [BUG]`.

Four programs write, one follows the changes; the server is stopped at once and started again, as often as fits into
SECONDS, with 0: 100 times. No program is told, and none may end or open its store anew. When all is over, what stands
is held against what was acknowledged, and the follower must still follow.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import final

import attrs

from tests.servers import MissingServer
from tests.servers.postgres import PostgresServer, postgres_server
from tests.torture import bugs
from tests.torture.backends import MISSING, Backend, postgres_backend
from tests.torture.clients import WRITERS, Follower, Writer, judge, prepare, probe
from tests.torture.ledger import count, tally, violate, violations
from tests.torture.zygote import ended, fork, kill

CRASHES = 100
LONGEST_LOAD = 0.3  # seconds that the load lasts after all have written again
PATIENCE = 30.0  # seconds in which everybody must have written again, or have ended
DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on", "recovery_init_sync_method=syncfs")


@final
@attrs.define
class Outages:
    """Let the server crash under the programs."""

    folder: Path
    server: PostgresServer
    rng: random.Random
    bug: str
    programs: list[int] = attrs.field(factory=list)

    def run(self, backend: Backend, deadline: float) -> None:
        """Crash until the deadline, then judge."""
        if ended(fork(self.folder, partial(prepare, backend)), PATIENCE) != 0:
            return
        follower = fork(self.folder, Follower(self.folder, backend))
        rngs = [random.Random(self.rng.getrandbits(32)) for _ in range(WRITERS)]
        writers = [Writer(self.folder, backend, slot, rng) for slot, rng in enumerate(rngs)]
        self.programs = [fork(self.folder, bugs.planted(self.bug, writer)) for writer in writers]
        self._crash_again_and_again(deadline)
        (self.folder / "over").touch()
        if [0] * WRITERS != [ended(program, PATIENCE) for program in self.programs]:
            violate(self.folder, "a writer did not end well")
        for last in (partial(probe, self.folder, backend), partial(judge, self.folder, backend)):
            if ended(fork(self.folder, last), PATIENCE) != 0:
                violate(self.folder, "the judge did not end well")
        kill(follower)

    def _crash_again_and_again(self, deadline: float) -> None:
        crashes = 0
        while self._all_have_written() and crashes < CRASHES and time.monotonic() < deadline:
            time.sleep(self.rng.uniform(0, LONGEST_LOAD))
            self.server.stop("immediate")
            time.sleep(self.rng.uniform(0, LONGEST_LOAD))
            self.server.start()
            count(self.folder, "crashes of the server")
            crashes += 1

    def _all_have_written(self) -> bool:
        """Wait until every writer has gone on by itself."""
        before, deadline = tally(self.folder), time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not violations(self.folder):
            more = tally(self.folder) - before
            if all(more[f"batches of writer {slot}"] for slot in range(WRITERS)):
                return True
            time.sleep(0.02)
        violate(self.folder, f"not everybody has written again: {more}")
        return False


def show(counted: Counter[str]) -> None:
    """Print figures."""
    for what, times in sorted(counted.items()):
        print(f"  {times:6} {what}")


def main(home: Path, seconds: float, seed: int, bug: str) -> int:
    began = time.monotonic()
    print(f"outages: seed {seed}, {seconds or 'all crashes'}, planted bug: {bug or 'none'}", flush=True)
    try:
        with postgres_server(*DURABLE) as server:
            backend = postgres_backend(server.create_database("tortured"))
            Outages(home, server, random.Random(seed), bug).run(backend, began + (seconds or 86400))
    except MissingServer as error:
        print(error)
        return MISSING
    show(tally(home))
    broken = violations(home)
    print(f"  {time.monotonic() - began:.1f} s; {len(broken)} violations; seed {seed}")
    print("\n".join(broken[:20]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), (*sys.argv[4:], "")[0]))
