"""The nursery, as an implementation detail of a context manager."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import trio

from tigercore.errors import BackgroundTaskFailed

_log = logging.getLogger("tigercore.services")
_STEADY = 60.0  # seconds after which a service that runs counts as recovered


@asynccontextmanager
async def open_background() -> AsyncIterator[trio.Nursery]:
    """Open a nursery for the time of the block; at its end the tasks are cancelled.

    An exception of the block leaves as itself, alone. An interrupt stays an interrupt.

    :raises BackgroundTaskFailed: a task crashed; the block was cancelled, and the crash is the cause.
    """
    body: BaseException | None = None
    crash: BaseExceptionGroup[BaseException] | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except BaseException as error:
                body = error
                raise
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        crash = _ours(group, body)
        if crash is not None and crash.split((KeyboardInterrupt, SystemExit))[0]:
            raise
    if crash is not None:
        kinds = ", ".join(sorted({type(leaf).__name__ for leaf in _leaves(crash)}))
        raise BackgroundTaskFailed(f"a task of tigercore crashed ({kinds}); the cause is chained") from crash
    if body is not None:
        raise body


def _ours(
    group: BaseExceptionGroup[BaseException], body: BaseException | None
) -> BaseExceptionGroup[BaseException] | None:
    """Return what in the group is neither the block's nor a mere cancellation."""
    theirs = {id(leaf) for leaf in _leaves(body)} if body is not None else set()
    return group.split(lambda error: id(error) in theirs or isinstance(error, trio.Cancelled))[1]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def supervise(
    task: Callable[[], Awaitable[None]],
    rng: random.Random,
    on: type[Exception] | tuple[type[Exception], ...] = Exception,
    most: float = 60.0,
) -> None:
    """Run a task; after such an error wait, twice as long each time up to `most` seconds, and start it again.

    A plugin's service never takes the core with it (architecture 6); a task of the core outlives a store that is gone
    for a while. Any other error leaves.
    """
    wait = 1.0
    while True:
        began = trio.current_time()
        try:
            await task()
        except* on as errors:
            told = "; ".join(str(leaf) for leaf in _leaves(errors))
            _log.warning("%s failed and is started again: %s", getattr(task, "__qualname__", task), told)
            _log.debug("the failure in full", exc_info=errors)
        else:
            return
        wait = 1.0 if trio.current_time() - began > _STEADY else min(wait * 2, most)
        await trio.sleep(wait * rng.uniform(0.5, 1.0))
