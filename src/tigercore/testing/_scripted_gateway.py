"""The gateway of the scripted client, which is none but its script."""

from __future__ import annotations

from typing import final

from tigercore.model import Environment, License
from tigercore.ports import Endpoint, Prompt
from tigercore.testing._gateway import GatewayScript

__all__ = ["ScriptedGateway"]


@final
class ScriptedGateway(GatewayScript):
    """A gateway without a network."""

    @property
    def endpoint(self) -> Endpoint:
        """Return an endpoint that this gateway answers, as it does every one but the dead one."""
        return Endpoint(Environment.SANDBOX, License.TBHK, "http://127.0.0.1:1/gateway")

    @property
    def dead_endpoint(self) -> Endpoint:
        """Return the one endpoint that refuses connections."""
        return Endpoint(Environment.SANDBOX, License.TBHK, "http://127.0.0.1:2/gateway")

    @property
    def issuer(self) -> str:
        """Return the URL that the grants name."""
        return "https://openapi-oauth2.tigerfintech.com"

    async def consent(self, prompt: Prompt) -> None:
        """Do nothing: the client lets the person decide at once."""
