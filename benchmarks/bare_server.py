"""A server that reads a POST and answers with the same bytes each time, in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BODY = b'{"code":0,"message":"success","timestamp":1767600000000,"data":[{"market":"US","status":"Trading"}]}'
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%b"


@contextmanager
def open_bare_server() -> Iterator[str]:
    """Run the server for the time of the block; give its URL."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}/gateway"
        finally:
            process.terminate()


class _Answering(asyncio.Protocol):
    """Answer each request when it is whole; requests come one at a time on a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if found and len(body) >= _length(head):
            self._buffer = b""
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(_REPLY % (len(_BODY), _BODY))


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
