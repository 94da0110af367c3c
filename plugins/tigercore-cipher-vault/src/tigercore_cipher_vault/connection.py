"""Requests to one server. Here, and only here, the HTTP library's exceptions become errors of a root."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Self, cast, final

import attrs
import httpx2
import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault.options import VaultOptions
from tigercore_cipher_vault.token import read_token
from tigercore_envelope import RootUnreachable

Body = Mapping[str, str | bool | Secret]
_LIMIT = 64 * 1024  # bytes; a reply that wraps one key has some 400


@final
@attrs.frozen(repr=False)
class Reply:
    """A reply that was read whole, within the limit. It never shows what it holds: a key, or what a server echoes."""

    status: int
    body: Secret

    @property
    def json(self) -> Mapping[str, Any]:
        """Return the reply's JSON object, an empty one if it is anything else."""
        try:
            value = json.loads(self.body.reveal())
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


@final
class Connection:
    """Send each request once, over a connection of its own: no retry, no redirect, no cookie, no proxy.

    It works on the transport below the library's client, because that has none of these to switch off. A root is asked
    some few times in the life of a process, so there is nothing to gain by keeping a connection.

    :raises KeyUnavailable: `ca_file` cannot be used.
    """

    def __init__(self, options: VaultOptions) -> None:
        for name in ("httpx2", "httpcore2"):  # at DEBUG they print reply headers, and what a server echoes in them
            logging.getLogger(name).setLevel(logging.WARNING)
        self._options = options
        self._transport = httpx2.AsyncHTTPTransport(
            verify=_trust(options.address, options.ca_file),
            trust_env=False,
            retries=0,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._transport.__aexit__(*exc_info)

    async def ask(self, method: str, path: str, body: Body | None = None) -> Reply:
        """Send one request to `/v1/<path>`; the names in the path were checked with the options.

        What is secret in the body is a `Secret`, which is taken out in the request only: no error shows it.

        :raises RootUnreachable: no whole reply came back in time.
        :raises KeyUnavailable: there is no token, or the reply is none of Vault's.
        """
        address, seconds = self._options.address, self._options.timeout
        with trio.move_on_after(seconds):
            reply = await self._exchange(self._request(method, path, body))
            if isinstance(reply, KeyUnavailable):
                raise reply  # here, where no frame holds the request: the token and the key are in it
            return reply
        raise RootUnreachable(f"{address} gave no whole reply within {seconds:g} s")

    def _request(self, method: str, path: str, body: Body | None) -> httpx2.Request:
        headers = {"X-Vault-Token": read_token(self._options), "Accept-Encoding": "identity", "Connection": "close"}
        if self._options.namespace is not None:
            headers["X-Vault-Namespace"] = self._options.namespace
        # A handshake that runs out of time is closed by the library; one that is cancelled is left to the garbage
        # collector. So the handshake gets less time than the whole.
        extensions = {"timeout": {"connect": self._options.timeout / 2}}
        url = f"{self._options.address}/v1/{path}"
        return httpx2.Request(method, url, headers=headers, json=_revealed(body), extensions=extensions)

    async def _exchange(self, request: httpx2.Request) -> Reply | KeyUnavailable:
        try:
            response = await self._transport.handle_async_request(request)
            try:
                return await self._read(response)
            finally:
                await response.aclose()
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            return self._verdict(error)

    async def _read(self, response: httpx2.Response) -> Reply | KeyUnavailable:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return KeyUnavailable(f"{self._options.address} sent a compressed reply, which was not asked for")
        body = bytearray()
        with trio.CancelScope() as scope:  # leaving the loop would leave the library's generators open
            async for chunk in cast(httpx2.AsyncByteStream, response.stream):
                body += chunk
                if len(body) > _LIMIT:
                    scope.cancel()
        if len(body) > _LIMIT:
            return KeyUnavailable(f"{self._options.address} sent more than {_LIMIT} bytes: is it a Vault?")
        return Reply(response.status_code, Secret(body.decode(errors="replace")))

    def _verdict(self, error: Exception) -> KeyUnavailable:
        address = self._options.address
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            return KeyUnavailable(f"the certificate of {address} is not trusted: name its authority in `ca_file`")
        return RootUnreachable(f"{address} cannot be reached, or hung up: {type(error).__name__}")


def _revealed(body: Body | None) -> dict[str, str | bool] | None:
    if body is None:
        return None
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in body.items()}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _trust(address: str, ca_file: str | None) -> ssl.SSLContext:
    if address.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; reading the system's certificates takes 20 ms
    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise KeyUnavailable(f"`ca_file` {ca_file}: {reason}: name the file of Vault's certificate authority") from None
