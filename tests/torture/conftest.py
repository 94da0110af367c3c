"""Torture runs in a process of its own, which forks: one that has never run trio, nor opened a cipher."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import attrs
import pytest

from tests.servers import MissingServer
from tests.servers.needed import needed
from tests.torture.backends import MISSING

_ROOT = Path(__file__).parents[2]
_AT_CALLS = {"syscalls", "rotation", "copying", "full_disk"}  # modules that strike at system calls
_TO_END = 900.0  # seconds beyond its own after which a run hangs


@final
@attrs.frozen
class Run:
    """How a run ended: its status, and what it printed."""

    status: int
    output: str


Torture = Callable[..., Run]


@pytest.fixture
def seconds() -> float:
    """Return how long a run may take: `nox -s torture` gives it more."""
    return float(os.environ.get("TIGERCORE_TORTURE_SECONDS", "8"))


@contextmanager
def _in_turn(factory: pytest.TempPathFactory, module: str) -> Iterator[None]:
    """Wait for other tests of torture of this kind: pytest-xdist 3.8 overlooks its own groups under pytest 9.2.

    Storms load all cores; what strikes at system calls, one process at a time, may run beside one.
    """
    folder = factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    kind = "syscalls" if module in _AT_CALLS else "storms"
    with (shared / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def torture(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Torture:
    """Return what runs one of the modules here, for so many seconds, with TIGERCORE_TORTURE_SEED or a new one."""
    seed = os.environ.get("TIGERCORE_TORTURE_SEED", str(random.SystemRandom().getrandbits(32)))

    def run(module: str, seconds: float, *more: str) -> Run:
        folder = tmp_path / "torture"
        folder.mkdir(mode=0o700)
        command = [sys.executable, "-m", f"tests.torture.{module}", str(folder), str(seconds), seed, *more]
        with _in_turn(tmp_path_factory, module):
            return _run(command, seconds + _TO_END)

    return run


def _run(command: list[str], timeout: float) -> Run:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    print(output)
    with needed(_with_its_server(Run(process.returncode, output))) as run:
        return run


@contextmanager
def _with_its_server(run: Run) -> Iterator[Run]:
    if run.status == MISSING:
        raise MissingServer(run.output.strip())
    yield run
