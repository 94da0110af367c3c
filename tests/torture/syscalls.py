"""A rotation that is hurt at its system calls: `python -m tests.torture.syscalls FOLDER SECONDS SEED [BUG]`.

First strace counts the calls by which a rotation of ten accounts changes files. Then, for each of them, the process is
killed as it enters it, or the call fails as on a broken disk (EIO), or it and all after it fail as on a full one
(ENOSPC). After each a new process opens every row and brings the rotation to its end. With SECONDS it takes as many
cases as fit, drawn by the seed; with 0 all. Where strace cannot trace, a parent kills at random moments instead.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import final

import attrs

from tests.torture import bugs
from tests.torture.ledger import violate, violations
from tests.torture.patient import make, recover, rotate
from tests.torture.zygote import ended, fork, kill

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")
HARMS = ("signal=KILL", "error=EIO", "error=ENOSPC")
RANDOM_KILLS = 60
PATIENCE = 60.0


@final
@attrs.frozen
class Case:
    """The n-th call of this name is hurt; a full disk stays full."""

    call: str
    harm: str
    number: int

    @property
    def injection(self) -> str:
        """Return it in strace's words."""
        onwards = "+" if self.harm == "error=ENOSPC" else ""
        return f"inject={self.call}:{self.harm}:when={self.number}{onwards}"


@final
@attrs.frozen
class Bench:
    """Hurt one rotation after another, each of a fresh copy of one installation."""

    home: Path

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """Lend a copy of the installation."""
        with tempfile.TemporaryDirectory(dir=self.home) as name:
            folder = Path(name)
            for file in (self.home / "model").iterdir():
                shutil.copy2(file, folder)
            yield folder

    def count(self) -> Counter[str]:
        """Return how often a rotation makes each call; nothing if strace cannot trace here."""
        with self.copy() as folder:
            log = folder / "log"
            status = self._traced(folder, f"trace={','.join(CALLS)}", log)
            found = re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE) if status == 0 else []
        if len({thread for thread, _ in found}) > 1:
            raise RuntimeError("the calls come from several threads: strace would count each alone")
        return Counter(call for _, call in found)

    def hurt(self, case: Case) -> str:
        """Carry out one case, check what is left, and return how the rotation ended."""
        with self.copy() as folder:
            status = self._traced(folder, case.injection, folder / "log")
            return self._seen(folder, case, status)

    def kill_at(self, seconds: float) -> str:
        """Kill a rotation so long after its start."""
        with self.copy() as folder:
            child, go = self._started(folder)
            os.close(go)
            status = ended_or_killed(child, seconds)
            return self._seen(folder, f"killed after {seconds:.4f} s", status)

    def _seen(self, folder: Path, case: Case | str, status: int | None) -> str:
        told = folder / "told"
        says = told.read_text() if told.exists() else ""
        errors = (folder / "stderr").read_text()
        if status not in (0, -9) or "Traceback" in errors or "\n" in says:
            violate(folder, f"{case}: the rotation ended with {status}; it told: {says!r}; on stderr: {errors}")
        if says and not says.startswith("StoreUnavailable: "):
            violate(folder, f"{case}: {says}")
        if ended(fork(folder, partial(recover, folder, str(case))), PATIENCE) != 0:
            violate(folder, f"{case}: who came after did not end well")
        for what in violations(folder):
            violate(self.home, what)
        return "was killed" if status == -9 else "told a clean error" if says else "went on to its end"

    def _traced(self, folder: Path, expression: str, log: Path) -> int | None:
        child, go = self._started(folder)
        options = ["-f", "-e", f"trace={','.join(CALLS)}", "-e", expression, "-o", str(log), "-p", str(child)]
        tracer = subprocess.Popen(["strace", *options], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        os.close(go)
        if "attached" not in line:
            print(f"  strace cannot trace here: {line.strip()}")
            kill(child)
            return None
        status = ended(child, PATIENCE)
        tracer.communicate()
        return status

    def _started(self, folder: Path) -> tuple[int, int]:
        waits, go = os.pipe()
        errors = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT, 0o600)

        async def work() -> None:
            os.close(go)
            os.dup2(errors, 2)
            await rotate(folder, waits)

        child = fork(folder, work)
        os.close(waits)
        os.close(errors)
        return child, go


def ended_or_killed(child: int, seconds: float) -> int:
    """Return a process's status, or kill it after so many seconds."""
    status = ended(child, seconds)
    return -9 if status is None else status


def cases(counted: Counter[str]) -> list[Case]:
    """Return every harm at every call."""
    return [
        Case(call, harm, number)
        for call, times in sorted(counted.items())
        for harm in HARMS
        for number in range(1, times + 1)
    ]


def hurt_calls(bench: Bench, counted: Counter[str], rng: random.Random, deadline: float) -> Counter[str]:
    """Carry out the cases, in an order that the seed draws, until the deadline; say how many that were."""
    wanted, ends = cases(counted), Counter[str]()
    print(f"  a rotation makes {dict(counted)}: {len(wanted)} cases", flush=True)
    for case in rng.sample(wanted, len(wanted)):
        if time.monotonic() > deadline or violations(bench.home):
            break
        ends[f"{case.call} {case.harm}: {bench.hurt(case)}"] += 1
    print(f"  {ends.total()} of {len(wanted)} cases were carried out")
    return ends


def kill_at_random(bench: Bench, rng: random.Random, deadline: float) -> Counter[str]:
    """Kill rotations at random moments."""
    print("  WITHOUT strace: a parent kills at random moments, and no call fails", flush=True)
    began, ends = time.monotonic(), Counter[str]()
    bench.kill_at(PATIENCE)
    longest = time.monotonic() - began
    for _ in range(RANDOM_KILLS):
        if time.monotonic() > deadline or violations(bench.home):
            break
        ends[f"rotation {bench.kill_at(rng.uniform(0, longest))}"] += 1
    return ends


def main(home: Path, seconds: float, seed: int, bug: str) -> int:
    began, rng = time.monotonic(), random.Random(seed)
    print(f"system calls: seed {seed}, {seconds or 'all cases'}, planted bug: {bug or 'none'}", flush=True)
    (home / "model").mkdir(mode=0o700)
    if ended(fork(home, partial(make, home / "model")), PATIENCE) != 0:
        print(violations(home))
        return 1
    bugs.plant(bug)
    bench, deadline = Bench(home), began + (seconds or 86400)
    counted = bench.count() if shutil.which("strace") else Counter[str]()
    ends = hurt_calls(bench, counted, rng, deadline) if counted else kill_at_random(bench, rng, deadline)
    for what, times in sorted(ends.items()):
        print(f"  {times:6} {what}")
    broken = violations(home)
    print(f"  {time.monotonic() - began:.1f} s; {len(broken)} violations")
    print("\n".join(broken[:20]))
    return 1 if broken or not ends else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), (*sys.argv[4:], "")[0]))
