import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tigercore_simulator import Developer, Simulator, open_simulator

TUESDAY_NOON = datetime.fromisoformat("2026-03-17T12:00:00-04:00").timestamp()


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = TUESDAY_NOON

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Http:
    """One kept connection to a simulator."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.got = b""

    async def send(self, verb: str, path: str, body: bytes, headers: str = "") -> None:
        head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.stream.send_all(head.encode() + body)

    async def receive(self) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self.got:
            await self._more()
        head, _, rest = self.got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        self.got = rest
        while len(self.got) < length:
            await self._more()
        body, self.got = self.got[:length], self.got[length:]
        return int(head.split()[1]), body

    async def ask(self, verb: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, bytes]:
        await self.send(verb, path, body, headers)
        return await self.receive()

    async def _more(self) -> None:
        data = await self.stream.receive_some(65536)
        if not data:
            raise EOFError(self.got)
        self.got += data


class Caller:
    """Signs requests as one developer and sends them to a simulator."""

    def __init__(self, simulator: Simulator, developer: Developer) -> None:
        self.simulator = simulator
        self.developer = developer
        self.device = "aa:bb:cc:dd:ee:ff"
        self.timestamp = "2026-03-17 12:00:00"
        self.key = serialization.load_pem_private_key(developer.private_key_pk1.encode(), None)

    def body(self, method: str, params: dict[str, Any] | None = None, /, **changes: Any) -> bytes:
        fields: dict[str, Any] = {
            "method": method,
            "version": "2.0",
            "timestamp": self.timestamp,
            "tiger_id": self.developer.tiger_id,
            "charset": "UTF-8",
            "sign_type": "RSA",
            "device_id": self.device,
        }
        if params is not None:
            fields["biz_content"] = json.dumps(params, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        fields |= changes
        text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
        sign = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA1())
        return json.dumps({**fields, "sign": base64.b64encode(sign).decode()}).encode()

    def headers(self) -> str:
        token = self.simulator.token(self.developer)
        return f"Authorization: {token}\r\n" if token else ""

    async def connect(self) -> Http:
        port = int(self.simulator.url.rsplit(":", 1)[1].partition("/")[0])
        return Http(await trio.open_tcp_stream("127.0.0.1", port))

    async def post(self, body: bytes, headers: str | None = None) -> tuple[int, bytes]:
        http = await self.connect()
        async with http.stream:
            return await http.ask("POST", "/gateway", body, self.headers() if headers is None else headers)

    async def call(self, method: str, params: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        return json.loads((await self.post(self.body(method, params, **changes)))[1])

    async def data(self, method: str, params: dict[str, Any] | None = None) -> Any:
        reply = await self.call(method, params)
        assert reply["code"] == 0, reply
        return reply["data"]

    async def paper(self, method: str, **params: Any) -> dict[str, Any]:
        return await self.call(method, {"account": self.developer.paper_account, **params})


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def simulator(clock: HandClock) -> AsyncIterator[Simulator]:
    async with open_simulator(developers=3, seed=7, clock=clock) as running:
        yield running


@pytest.fixture
def caller(simulator: Simulator) -> Caller:
    return Caller(simulator, simulator.developers[0])


@pytest.fixture
def token_caller(simulator: Simulator) -> Caller:
    return Caller(simulator, next(each for each in simulator.developers if each.license == "TBHK"))


@pytest.fixture
def caller_of():
    return Caller
