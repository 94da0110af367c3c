"""The laws of the client port on keys and secrets."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tigercore.errors import ClientError, Rejected
from tigercore.model import Credentials, Environment, Secret
from tigercore.ports import Endpoint, GatewayRequest, Signer, TigerClient
from tigercore.testing._client_suite import PLACE, ClientSuite, a_token
from tigercore.testing._gateway import Answer, GatewayScript

_NO_KEY = "no-such-private-material"


class ClientSecretLaws(ClientSuite):
    """A key is checked before it is used, and nothing that is secret is shown."""

    async def test_validate_takes_a_good_key(self, client: TigerClient, credentials: Credentials) -> None:
        client.validate(credentials, Endpoint(Environment.PRODUCTION))

    async def test_validate_refuses_a_bad_key_without_showing_it(self, client: TigerClient) -> None:
        with _refusal_that_hides(_NO_KEY):
            client.validate(Credentials(Secret("20150001"), Secret(_NO_KEY)), Endpoint(Environment.PRODUCTION))

    async def test_signer_refuses_a_bad_key_without_showing_it(self, client: TigerClient) -> None:
        with _refusal_that_hides(_NO_KEY):
            client.signer(Credentials(Secret("20150001"), Secret(_NO_KEY)), Endpoint(Environment.PRODUCTION))

    async def test_validate_refuses_an_endpoint_that_could_steal_requests(
        self, client: TigerClient, credentials: Credentials
    ) -> None:
        for environment in Environment:
            for url in ("http://gateway.example.com/gateway", "https://user:word@openapi.tigerfintech.com/gateway"):
                with pytest.raises(ValueError):  # noqa: PT011  (each driver words it in its own way)
                    client.validate(credentials, Endpoint(environment, server_url=url))

    async def test_a_signature_is_base64(self, signer: Signer) -> None:
        assert len(base64.b64decode(signer.sign(b"content"), validate=True)) >= 16

    async def test_a_signer_shows_nothing(self, signer: Signer, credentials: Credentials) -> None:
        shown = f"{signer} {signer!r}"
        assert [] == [secret for secret in _texts(credentials) if secret in shown]

    async def test_an_error_shows_no_secret(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer, credentials: Credentials
    ) -> None:
        token = a_token()
        secrets = [*_texts(credentials), token.value.reveal()]
        for secret in secrets:
            gateway.then(Answer(code=1200, message=f"bad_request:this is yours: {secret}"))
            with pytest.raises(ClientError) as caught:
                await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, token)
            shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
            assert [] == [text for text in secrets if text in shown]

    async def test_an_error_is_one_short_printable_line(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer(code=1200, message="no\r\n\x00\x1b[31m\u202e" + " and no" * 1000))
        with pytest.raises(Rejected) as caught:
            await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, None)
        assert (True, True) == (str(caught.value).isprintable(), len(str(caught.value)) <= 500)


@contextmanager
def _refusal_that_hides(secret: str) -> Iterator[None]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (each driver words it in its own way)
        yield
    assert secret not in "".join(traceback.format_exception(caught.value))


def _texts(credentials: Credentials) -> list[str]:
    """Return the secrets as text; of a key in PEM, the lines that tell something."""
    held: list[Any] = [credentials.tiger_id, credentials.secret_key]
    pem = credentials.private_key.reveal() if credentials.private_key else ""
    key = [line for line in pem.splitlines() if len(line) >= 32 and "-" * 5 not in line]
    return [secret.reveal() for secret in held if secret] + key
