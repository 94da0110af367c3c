from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, final
from uuid import uuid4

import attrs
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.servers.needed import needed
from tests.servers.postgres import PostgresServer, any_server
from tigercore_postgres import PostgresOptions, PostgresStore


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with needed(any_server()) as started:
        yield started


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> Iterator[str]:
    """Return the name of a database that was migrated."""
    name = f"tc_template_{uuid4().hex}"
    options = PostgresOptions(dsn=server.create_database(name))
    trio.run(PostgresStore.schema(options).migrate)
    yield name
    server.drop_database(name)


@pytest.fixture
def database(server: PostgresServer, template: str) -> Iterator[str]:
    """Return the name of a new database that was migrated."""
    name = f"tc_test_{uuid4().hex}"
    server.create_database(name, template)
    yield name
    server.drop_database(name)


@pytest.fixture
def empty(server: PostgresServer) -> Iterator[PostgresOptions]:
    """Return the options of a new database that was not migrated."""
    name = f"tc_test_{uuid4().hex}"
    yield PostgresOptions(dsn=server.create_database(name))
    server.drop_database(name)


@pytest.fixture
def options(server: PostgresServer, database: str) -> PostgresOptions:
    return PostgresOptions(dsn=server.url(database))


Edit = Callable[[bytes, bytes], Awaitable[bytes | None]]


async def as_it_is(kind: bytes, body: bytes) -> bytes | None:
    """Pass a message of the server on."""
    return body


@final
@attrs.define
class Proxy:
    """What stands between a store and its server. `edit` is given each message of the server, and may change it,
    withhold it (None) or cut the connection (EOFError).
    """

    target: dict[str, Any]
    port: int = 0
    edit: Edit = as_it_is

    @property
    def options(self) -> PostgresOptions:
        parameters = {**self.target, "host": "127.0.0.1", "port": self.port, "sslmode": "disable"}
        return PostgresOptions(dsn=make_conninfo(**parameters))

    async def answer(self, client: trio.SocketStream) -> None:
        """Be the server to one client."""
        async with client, await self._server() as server, trio.open_nursery() as nursery:
            nursery.start_soon(_forward, client, server, nursery.cancel_scope)
            with suppress(trio.BrokenResourceError, EOFError):
                while True:
                    kind, size = (head := await _read(server, 5))[:1], int.from_bytes(head[1:])
                    body = await self.edit(kind, await _read(server, size - 4))
                    if body is not None:
                        await client.send_all(kind + (len(body) + 4).to_bytes(4) + body)
            nursery.cancel_scope.cancel()

    async def _server(self) -> trio.SocketStream:
        host, port = self.target["host"], self.target["port"]
        if host.startswith("/"):
            return await trio.open_unix_socket(f"{host}/.s.PGSQL.{port}")
        return await trio.open_tcp_stream(host, port)


async def _read(stream: trio.SocketStream, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = await stream.receive_some(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found


async def _forward(client: trio.SocketStream, server: trio.SocketStream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        async for part in client:
            await server.send_all(part)
    scope.cancel()


@pytest.fixture
async def proxy(options: PostgresOptions) -> AsyncIterator[Proxy]:
    """Return what stands before the database of this test."""
    between = Proxy(conninfo_to_dict(options.dsn))
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        between.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, between.answer, listeners)
        yield between
        nursery.cancel_scope.cancel()
