"""What the frames of an error reach, however deep one looks."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator
from types import CoroutineType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

from tigercore.model import Secret

_SHUT = (type, ModuleType, FrameType, CoroutineType, TracebackType, Secret)  # not looked into


def held(error: BaseException | None, *, but: str) -> dict[str, bytes]:
    """Return what each local name of an error's frames leads to, and of the errors behind it; not those of one file."""
    heaps: dict[str, bytes] = {}
    while error is not None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        for frame in frames:
            names = {} if frame.f_code.co_filename == but else frame.f_locals
            heaps |= {f"{frame.f_code.co_qualname}: {name}": b"\n".join(_texts(names[name])) for name in names}
        error = error.__cause__ or error.__context__
    return heaps


def _texts(value: Any) -> Iterator[bytes]:
    """Return every text and all bytes that can be reached from a value, through any object."""
    todo, seen = [value], dict[int, Any]()
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, _SHUT):
            continue
        seen[id(each)] = each
        if isinstance(each, str):
            yield each.encode("utf-8", "surrogatepass")
        elif isinstance(each, (bytes, bytearray)):
            yield bytes(each)
        else:
            todo += (each.__closure__ or ()) if isinstance(each, FunctionType) else gc.get_referents(each)
