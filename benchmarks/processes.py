"""Another process on the same installation, which follows what is written, or rotates the key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import trio

from benchmarks.installation import installed
from tigercore import open_tigercore

_Task = Callable[[Connection, Path, str], None]


@contextmanager
def process(task: _Task, place: Path, url: str) -> Iterator[Connection]:
    """Run the task in a new process for the time of the block, once it has sent a first word; return our end."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    other = context.Process(target=task, args=(theirs, place, url))
    other.start()
    theirs.close()  # else nobody would see here that the other has failed
    try:
        ours.recv()
        yield ours
    finally:
        other.terminate()
        other.join()
        ours.close()


def follow(pipe: Connection, place: Path, url: str) -> None:
    """Send the descriptions of the first account, each with the moment at which it was known here."""

    async def run() -> None:
        async with open_tigercore(installed(place, url)) as tiger:
            first, known = (await tiger.accounts.list_accounts())[0].id, ""
            pipe.send("ready")
            while True:
                await tiger.accounts._snapshot.changed()
                found = (await tiger.accounts.get_account_by_id(first)).description
                if found != known:
                    pipe.send((found, time.monotonic()))  # one clock for all processes of a machine
                    known = found

    trio.run(run)


def rotate(pipe: Connection, place: Path, url: str) -> None:
    """Rotate the key once a word comes, and say when it is done."""

    async def run() -> None:
        async with open_tigercore(installed(place, url)) as tiger:
            pipe.send("ready")
            await trio.to_thread.run_sync(pipe.recv)
            await tiger.keys.rotate()
            pipe.send("done")

    trio.run(run)
