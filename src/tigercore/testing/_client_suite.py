"""What the laws of the client port have in common: a driver, a gateway, and calls to make."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tigercore.errors import ClientError
from tigercore.model import Credentials, Operation, OperationClass, OperationType, Secret, Token
from tigercore.ports import GatewayRequest, Signer, TigerClient
from tigercore.testing._contract import Contract
from tigercore.testing._gateway import GatewayScript, Move, token_text

BORN = datetime(2026, 1, 5, tzinfo=UTC)


def _operation(method: str, type_: OperationType, safety: OperationClass, *, binds_account: bool = True) -> Operation:
    return Operation(method, "2.0", type_, safety, method, 60, "any", binds_account)


QUOTE = _operation("quote_real_time", OperationType.QUOTE, OperationClass.MARKET_DATA, binds_account=False)
READ = _operation("positions", OperationType.POSITIONS, OperationClass.ACCOUNT_READ)
ORDER_NO = _operation("order_no", OperationType.ORDERS, OperationClass.ACCOUNT_READ)
PLACE = _operation("place_order", OperationType.PLACE_ORDER, OperationClass.CREATE)
MODIFY = _operation("modify_order", OperationType.MODIFY_ORDER, OperationClass.MODIFY)
CANCEL = _operation("cancel_order", OperationType.CANCEL_ORDER, OperationClass.CANCEL)
TRANSFER = _operation("transfer_fund", OperationType.ACCOUNT_INFO, OperationClass.MONEY)
READS = (QUOTE, READ)
WRITES = (PLACE, MODIFY, CANCEL, TRANSFER)


def a_token(number: int = 0) -> Token:
    """Return a token that is told from the others by its number."""
    return Token.parse(token_text(BORN, tail=number.to_bytes(16, "big")))


class ClientSuite(Contract):
    """The fixtures of the laws. Override `client`, `gateway` and `credentials`."""

    @pytest.fixture
    def client(self) -> TigerClient:
        """Return the driver, opened."""
        raise NotImplementedError("override this fixture with the driver that is to keep the laws")

    @pytest.fixture
    def gateway(self) -> GatewayScript:
        """Return the gateway that the driver will reach."""
        raise NotImplementedError("override this fixture with a GatewayScript, such as open_socket_gateway gives")

    @pytest.fixture
    def credentials(self) -> Credentials:
        """Return credentials with a secret_key and a good private key."""
        raise NotImplementedError("override this fixture with credentials whose key the driver takes")

    @pytest.fixture
    def signer(self, client: TigerClient, gateway: GatewayScript, credentials: Credentials) -> Signer:
        """Return the signer for the scripted gateway."""
        return client.signer(credentials, gateway.endpoint)

    @pytest.fixture
    def bearer(self, client: TigerClient, gateway: GatewayScript) -> Signer:
        """Return the signer of an OAuth2 client, which has no key."""
        return client.signer(Credentials(Secret("client-1"), None), gateway.endpoint)


def request(operation: Operation, timeout: float | None = None) -> GatewayRequest:
    """Return a call of this operation."""
    return GatewayRequest(operation, {"price": Decimal("1.5")}, account="12345678", timeout=timeout)


async def every(
    client: TigerClient,
    gateway: GatewayScript,
    signer: Signer,
    move: Move,
    expected: type[ClientError],
    operations: tuple[Operation, ...] = (*READS, *WRITES),
) -> list[ClientError]:
    """Call each operation against the same move, and return the errors, each of which is the expected one."""
    errors = []
    for operation in operations:
        gateway.then(move)
        with pytest.raises(expected) as caught:
            await client.call(request(operation), signer, None)
        errors.append(caught.value)
    return errors
