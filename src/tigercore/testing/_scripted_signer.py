"""The signer of the scripted client: it knows what the gateway is shown."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, final

from tigercore.model import Credentials, Grant, Secret, Token
from tigercore.ports import Endpoint, Signer
from tigercore.testing._gateway import Arrival

__all__ = ["ScriptedSigner"]


@final
class ScriptedSigner(Signer):
    """Sign with a hash; without a key, bear grants."""

    def __init__(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self._credentials = credentials
        self.endpoint = endpoint

    def __repr__(self) -> str:
        return "<ScriptedSigner>"

    @property
    def is_bearer(self) -> bool:
        """Say whether there is no key."""
        return self._credentials.private_key is None

    def sign(self, content: bytes) -> str:
        """Return a hash of the content in base64."""
        return base64.b64encode(hashlib.sha256(content).digest()).decode()

    def arrival(self, method: str, params: Mapping[str, Any], token: Token | None) -> Arrival:
        """Return a call as the gateway sees it."""
        if self.is_bearer:
            return Arrival(method, params, "", Grant.of(token).access_token.reveal() if token else None)
        return Arrival(method, params, self._credentials.tiger_id.reveal(), token.value.reveal() if token else None)

    def secrets(self, token: Token | None) -> list[Secret]:
        """Return what no error may show."""
        held = self._credentials
        grant = Grant.of(token) if token and self.is_bearer else None
        borne = (grant.access_token, grant.refresh_token) if grant else ()
        return [s for s in (held.private_key, held.tiger_id, held.secret_key, token and token.value, *borne) if s]
