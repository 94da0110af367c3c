"""A write that is hurt at its system calls: `python -m tests.torture.syscalls FOLDER SECONDS SEED PATIENT [BUG]`.

First strace counts the calls by which the patient changes files of the database. Then, for each of them, the process is
killed as it enters it, or the call fails as on a broken disk (EIO), or it and all after it fail as on a full one
(ENOSPC). After each a new process sees that nothing is lost, and goes on. With SECONDS it takes as many cases as fit
after all kills, drawn by the seed; with 0 all. Where strace cannot trace, a parent kills at random moments instead.
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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import final

import attrs

from tests.torture import bugs
from tests.torture.copying import COPY
from tests.torture.ledger import violate, violations
from tests.torture.patient import Patient
from tests.torture.rotation import ROTATION
from tests.torture.writes import CREATE, DELETE, UPDATE
from tests.torture.zygote import ended, fork, kill

PATIENTS = {"rotation": ROTATION, "create": CREATE, "update": UPDATE, "delete": DELETE, "copy": COPY}
CALLS = ("openat", "write", "pwrite64", "fdatasync", "fsync", "ftruncate", "fallocate", "rename", "unlink")
FILES = (".", *(f"{name}.db{end}" for name in ("tigercore", "copy") for end in ("", "-wal", "-shm", "-journal")))
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
    """Hurt one write after another, each of a fresh copy of one installation."""

    home: Path
    patient: Patient
    bug: str

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """Lend a copy of the installation."""
        with tempfile.TemporaryDirectory(dir=self.home) as name:
            folder = Path(name)
            for file in (self.home / "model").iterdir():
                shutil.copy2(file, folder)
            yield folder

    def calls(self) -> list[tuple[str, int]]:
        """Return the calls that change a file, each with its number; nothing if strace cannot trace here."""
        with self.copy() as folder:
            log = folder / "log"
            status = self._traced(folder, f"trace={','.join(CALLS)}", log)
            found = re.findall(r"^(\d+) +(\w+)\((.*)", log.read_text(), re.MULTILINE) if status == 0 else []
        return list(_changing(_of_one_thread(found)))

    def hurt(self, case: Case) -> str:
        """Carry out one case, check what is left, and return how the rotation ended."""
        with self.copy() as folder:
            status = self._traced(folder, case.injection, folder / "log")
            return self._seen(folder, case, status)

    def kill_at(self, seconds: float) -> str:
        """Kill the write so long after its start."""
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
            violate(folder, f"{case}: the write ended with {status}; it told: {says!r}; on stderr: {errors}")
        if says and not says.startswith("StoreUnavailable: "):
            violate(folder, f"{case}: {says}")
        if ended(fork(folder, partial(self.patient.recover, folder, str(case))), PATIENCE) != 0:
            violate(folder, f"{case}: who came after did not end well")
        for what in violations(folder):
            violate(self.home, what)
        return "was killed" if status == -9 else "told a clean error" if says else "went on to its end"

    def _traced(self, folder: Path, expression: str, log: Path) -> int | None:
        child, go = self._started(folder)
        paths = [part for name in FILES for part in ("-P", str(folder / name))]
        options = ["-f", *paths, "-e", f"trace={','.join(CALLS)}", "-e", expression, "-o", str(log), "-p", str(child)]
        tracer = subprocess.Popen(["strace", *options], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        line = next((line for line in tracer.stderr if "Requested path" not in line), "")
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
            bugs.plant(self.bug)
            await self.patient.suffer(folder, waits)

        child = fork(folder, work)
        os.close(waits)
        os.close(errors)
        return child, go


def ended_or_killed(child: int, seconds: float) -> int:
    """Return a process's status, or kill it after so many seconds."""
    status = ended(child, seconds)
    return -9 if status is None else status


def _of_one_thread(found: list[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """Leave out what other threads than that of SQL do, as strace counts each alone."""
    threads = Counter(thread for thread, _, _ in found).most_common()
    for thread, call, arguments in found:
        if thread == threads[0][0]:
            yield call, arguments
        else:
            print(f"  nothing is hurt at this call of another thread: {call}({arguments}")


def _changing(found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    """Number the calls, each name for itself, as strace does; a file that is only opened is not changed."""
    seen = Counter[str]()
    for call, arguments in found:
        seen[call] += 1
        if call != "openat" or "O_CREAT" in arguments:
            yield call, seen[call]


def drawn(calls: list[tuple[str, int]], rng: random.Random) -> Iterator[Case]:
    """Return every harm at every call, kills first, in an order that the seed draws."""
    for harms in (HARMS[:1], HARMS[1:]):
        cases = [Case(call, harm, number) for call, number in calls for harm in harms]
        yield from rng.sample(cases, len(cases))


def hurt_calls(bench: Bench, calls: list[tuple[str, int]], rng: random.Random, deadline: float) -> Counter[str]:
    """Carry out cases until the deadline, but all kills where they are few, and say how many that were."""
    wanted, ends = list(drawn(calls, rng)), Counter[str]()
    print(f"  it makes {dict(Counter(call for call, _ in calls))}: {len(wanted)} cases", flush=True)
    for case in wanted:
        needed = case.harm == HARMS[0] and not bench.patient.long
        if violations(bench.home) or (time.monotonic() > deadline and not needed):
            break
        ends[f"{case.call} {case.harm}: {bench.hurt(case)}"] += 1
    kills = sum(times for end, times in ends.items() if "KILL" in end)
    print(f"  {ends.total()} of {len(wanted)} cases were carried out, {kills} of {len(calls)} kills among them")
    return ends


def kill_at_random(bench: Bench, rng: random.Random, deadline: float) -> Counter[str]:
    """Kill writes at random moments."""
    print("  WITHOUT strace: a parent kills at random moments, and no call fails", flush=True)
    began, ends = time.monotonic(), Counter[str]()
    bench.kill_at(PATIENCE)
    longest = time.monotonic() - began
    for _ in range(RANDOM_KILLS):
        if time.monotonic() > deadline or violations(bench.home):
            break
        ends[f"the write {bench.kill_at(rng.uniform(0, longest))}"] += 1
    return ends


def main(home: Path, seconds: float, seed: int, name: str, bug: str) -> int:
    began, rng, patient = time.monotonic(), random.Random(seed), PATIENTS[name]
    print(f"system calls of {name}: seed {seed}, {seconds or 'all cases'}, planted bug: {bug or 'none'}", flush=True)
    (home / "model").mkdir(mode=0o700)
    if ended(fork(home, partial(patient.make, home / "model")), PATIENCE) != 0:
        print(violations(home))
        return 1
    bench, deadline = Bench(home, patient, bug), began + (seconds or 86400)
    calls = bench.calls() if shutil.which("strace") else []
    ends = hurt_calls(bench, calls, rng, deadline) if calls else kill_at_random(bench, rng, deadline)
    for what, times in sorted(ends.items()):
        print(f"  {times:6} {what}")
    broken = violations(home)
    print(f"  {time.monotonic() - began:.1f} s; {len(broken)} violations; seed {seed}")
    print("\n".join(broken[:20]))
    return 1 if broken or not ends else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], (*sys.argv[5:], "")[0]))
