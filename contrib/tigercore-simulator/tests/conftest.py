import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

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
        self.head = ""

    async def send(self, verb: str, path: str, body: bytes, headers: str = "") -> None:
        head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.stream.send_all(head.encode() + body)

    async def receive(self) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self.got:
            await self._more()
        head, _, rest = self.got.partition(b"\r\n\r\n")
        self.head = head.decode()
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        self.got = rest
        while len(self.got) < length:
            await self._more()
        body, self.got = self.got[:length], self.got[length:]
        return int(head.split()[1]), body

    async def ask(self, verb: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, bytes]:
        await self.send(verb, path, body, headers)
        return await self.receive()

    def header(self, name: str) -> str | None:
        """Return a header of the last reply."""
        lines = (line.partition(": ") for line in self.head.split("\r\n"))
        return next((value for found, _, value in lines if found.lower() == name.lower()), None)

    async def _more(self) -> None:
        data = await self.stream.receive_some(65536)
        if not data:
            raise EOFError(self.got)
        self.got += data


async def connect(simulator: Simulator) -> Http:
    port = int(simulator.url.rsplit(":", 1)[1].partition("/")[0])
    return Http(await trio.open_tcp_stream("127.0.0.1", port))


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


class App:
    """A registered client of OAuth 2.0 that talks to a simulator's issuer and gateway."""

    redirect_uri = "http://127.0.0.1:40123/callback"
    verifier = "v" * 43

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.client_id = ""
        self.http: Http | None = None

    async def ask(self, verb: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, Any]:
        self.http = await connect(self.simulator)
        async with self.http.stream:
            status, got = await self.http.ask(verb, path, body, headers)
        is_json = (self.http.header("Content-Type") or "").startswith("application/json")
        return status, json.loads(got) if is_json else got.decode()

    async def form(self, path: str, **fields: str) -> tuple[int, Any]:
        return await self.ask("POST", f"/oauth2/{path}", urlencode({"client_id": self.client_id} | fields).encode())

    async def register(self, **changes: Any) -> tuple[int, Any]:
        wanted = {"client_name": "test", "redirect_uris": ["http://127.0.0.1/callback"]} | changes
        status, reply = await self.ask("POST", "/oauth2/register", json.dumps(wanted).encode())
        self.client_id = reply.get("client_id", "")
        return status, reply

    def query(self, **changes: str) -> dict[str, str]:
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": "s t&t",
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
        } | changes

    async def visit(self, path: str = "authorize", **query: str) -> tuple[int, Any]:
        return await self.ask("GET", f"/oauth2/{path}?{urlencode(query)}")

    async def authorize(self, **changes: str) -> dict[str, str]:
        """Have the browser visit, and return what the redirect told."""
        status, _ = await self.visit(**self.query(**changes))
        location = self.http.header("Location") or ""
        assert (302, self.redirect_uri) == (status, location.partition("?")[0])
        return dict(parse_qsl(location.partition("?")[2]))

    async def redeem(self, code: str, **changes: str) -> tuple[int, Any]:
        fields = {"code": code, "redirect_uri": self.redirect_uri, "code_verifier": self.verifier}
        return await self.form("token", **({"grant_type": "authorization_code"} | fields | changes))

    async def login(self, **query: str) -> dict[str, Any]:
        """Go through the browser flow, and return the tokens."""
        status, tokens = await self.redeem((await self.authorize(**query))["code"])
        assert 200 == status, tokens
        return tokens

    async def refresh(self, tokens: dict[str, Any]) -> tuple[int, Any]:
        return await self.form("token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    async def poll(self, device: dict[str, Any]) -> tuple[int, Any]:
        kind = "urn:ietf:params:oauth:grant-type:device_code"
        return await self.form("token", grant_type=kind, device_code=device["device_code"])

    def body(self, method: str, params: dict[str, Any] | None = None, /, **changes: Any) -> bytes:
        fields = {
            "method": method,
            "version": "2.0",
            "timestamp": "2026-03-17 12:00:00",
            "charset": "UTF-8",
            "device_id": "aa:bb:cc:dd:ee:ff",
            "biz_content": json.dumps(params or {}),
        }
        return json.dumps(fields | changes).encode()

    async def call(
        self, tokens: dict[str, Any], method: str, params: dict[str, Any] | None = None, /, **changes: Any
    ) -> tuple[int, Any]:
        headers = f"Authorization: Bearer {tokens['access_token']}\r\n"
        return await self.ask("POST", "/gateway", self.body(method, params, **changes), headers)


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
        return await connect(self.simulator)

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


@pytest.fixture
async def app(simulator: Simulator) -> App:
    app = App(simulator)
    await app.register()
    return app


@pytest.fixture
async def device(app: App) -> dict[str, Any]:
    return (await app.form("device"))[1]


@pytest.fixture
def app_of():
    return App
