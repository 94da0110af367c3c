"""Disks that can be full: a small one of this process's own, or, where nothing may be mounted, calls that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import final

import attrs

from tests.torture.zygote import allow_tracing

SIZE = int(os.environ.get("TIGERCORE_TORTURE_DISK", 2 << 20))  # with 8 MiB, SQLite moves its log into the database, too
RESERVE = SIZE // 4
_INSIDE = "TIGERCORE_TORTURE_MOUNT"
_WAYS = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])
_MOUNT = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs"]


class Disk(ABC):
    """A disk with a folder of its own."""

    folder: Path

    @abstractmethod
    def fill(self, left: int) -> None:
        """Leave so many bytes, or fewer."""

    @abstractmethod
    def free(self) -> None:
        """Give the space back."""


@final
@attrs.frozen
class SmallDisk(Disk):
    """Some memory. A ballast file takes what shall not be left."""

    folder: Path

    def fill(self, left: int) -> None:
        """Leave so many bytes, but take enough to write on when it is given back."""
        found = os.statvfs(self.folder)
        (self.folder / "ballast").write_bytes(bytes(max(RESERVE, found.f_bavail * found.f_frsize - left)))

    def free(self) -> None:
        """Remove the ballast."""
        (self.folder / "ballast").unlink()


@final
@attrs.define
class FailingDisk(Disk):
    """A disk on which this process's writes to a database fail as on a full one, however much is left."""

    folder: Path
    _tracer: subprocess.Popen[str] | None = None

    def fill(self, left: int) -> None:
        """Let writes fail from now on: nothing is left."""
        paths = [part for end in ("", "-wal", "-journal") for part in ("-P", f"{self.folder / 'tigercore.db'}{end}")]
        failing = ["-e", "trace=pwrite64,ftruncate", "-e", "inject=pwrite64,ftruncate:error=ENOSPC"]
        allow_tracing()
        command = ["strace", "-f", *paths, *failing, "-o", os.devnull, "-p", str(os.getpid())]
        self._tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._tracer.stderr is not None
        line = next((line for line in self._tracer.stderr if "Requested path" not in line), "")
        if "attached" not in line:
            raise RuntimeError(f"nothing may be mounted here, and strace cannot trace: {line.strip()}")

    def free(self) -> None:
        """Let writes succeed again."""
        assert self._tracer is not None
        self._tracer.send_signal(signal.SIGINT)
        self._tracer.communicate()


def disk(home: Path) -> Disk:
    """Return a disk below this folder. To mount one, the program begins anew, once, where it sees mounts of its own."""
    folder = home / "disk"
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.environ.pop(_INSIDE, ""):
        subprocess.run([*_MOUNT, str(folder)], check=True)
        return SmallDisk(folder)
    for way in _WAYS:
        if _can([*way, *_MOUNT, str(folder)]):
            os.execvpe(way[0], [*way, sys.executable, *sys.orig_argv[1:]], {**os.environ, _INSIDE: "1"})
    print("  WITHOUT a disk of its own, as nothing may be mounted here: strace lets writes fail", flush=True)
    return FailingDisk(folder)


def _can(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
