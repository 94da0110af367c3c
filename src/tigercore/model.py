"""The nouns, as frozen values. None of them does I/O, and none but `Credentials` and `Token` holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import final
from uuid import UUID

import attrs

from tigercore.errors import PermissionDenied
from tigercore.grant import Grant as Grant
from tigercore.keyring import KeyRing as KeyRing
from tigercore.keyring import KeyRingStatus as KeyRingStatus
from tigercore.keyring import KeySlot as KeySlot
from tigercore.keyring import KeyStatus as KeyStatus
from tigercore.keyring import Verification as Verification
from tigercore.keyring import WrappedKey as WrappedKey
from tigercore.secret import Secret as Secret
from tigercore.token import RefreshResult as RefreshResult
from tigercore.token import RefreshStatistics as RefreshStatistics
from tigercore.token import SchedulerStatus as SchedulerStatus
from tigercore.token import Token as Token
from tigercore.token import TokenStatus as TokenStatus
from tigercore.token import TokenValidation as TokenValidation
from tigercore.vocabulary import AccountStatus as AccountStatus
from tigercore.vocabulary import AccountType as AccountType
from tigercore.vocabulary import AuditResult as AuditResult
from tigercore.vocabulary import AuditSeverity as AuditSeverity
from tigercore.vocabulary import Authentication as Authentication
from tigercore.vocabulary import Environment as Environment
from tigercore.vocabulary import KeyState as KeyState
from tigercore.vocabulary import License as License
from tigercore.vocabulary import LoadBalanceStrategy as LoadBalanceStrategy
from tigercore.vocabulary import MarketPermission as MarketPermission
from tigercore.vocabulary import OperationClass as OperationClass
from tigercore.vocabulary import OperationType as OperationType
from tigercore.vocabulary import RefreshTrigger as RefreshTrigger
from tigercore.vocabulary import TokenRefreshStatus as TokenRefreshStatus
from tigercore.vocabulary import TokenState as TokenState


@final
@attrs.frozen
class Operation:
    """One gateway method: its safety class, its budget, the scope that it needs.

    Methods of one `group` share a budget of `per_minute` calls in a rolling minute for each developer (protocol 8).
    `binds_account` says that the call names an account, which the router fills in.
    """

    method: str
    version: str
    type: OperationType
    safety: OperationClass
    group: str
    per_minute: int
    scope: str
    binds_account: bool


@final
@attrs.frozen
class TigerAccount:
    """An account without its secrets.

    `developer` is a keyed hash of the tiger_id: equal for accounts of one developer, which share the gateway's budgets.
    `version` counts writes of the row; a change carries the version that it has read.
    """

    id: UUID
    account_name: str
    account_number: str
    account_type: AccountType
    environment: Environment
    created_at: datetime
    updated_at: datetime
    license: License | None = None
    status: AccountStatus = AccountStatus.ACTIVE
    market_permissions: frozenset[MarketPermission] = frozenset()
    tags: frozenset[str] = frozenset()
    description: str = ""
    server_url: str | None = None
    weight: float = 1.0
    is_default_trading: bool = False
    is_default_data: bool = False
    error_count: int = 0
    developer: str = ""
    authentication: Authentication = Authentication.SIGNATURE
    version: int = 0

    @property
    def is_paper(self) -> bool:
        """Say whether orders of this account trade no real money."""
        return self.account_type is AccountType.PAPER

    @property
    def needs_token(self) -> bool:
        """Say whether the gateway asks this account for a token, beside the signature or in its place."""
        return self.license is License.TBHK or self.authentication is Authentication.OAUTH2


@final
@attrs.frozen
class Credentials:
    """The secrets of a developer. `credentials["tiger_id"]` works too, and gives a `Secret`.

    With OAuth2 there is no key, and the client's id stands in the place of the developer's.
    """

    tiger_id: Secret
    private_key: Secret | None
    secret_key: Secret | None = None

    def __getitem__(self, name: str) -> Secret:
        value = getattr(self, name, None)
        if not isinstance(value, Secret):
            raise KeyError(name)
        return value


@final
@attrs.frozen
class Availability:
    """Whether an account may be routed to now; `reasons` says what stands against it."""

    available: bool
    reasons: tuple[str, ...] = ()


@final
@attrs.frozen
class AccountStatistics:
    """What routing has seen of an account. `latency` is in ms, `error_rate` and `share` are 0 to 1."""

    account_id: UUID
    account_name: str
    calls: int
    failures: int
    share: float
    in_flight: int
    latency: float
    error_rate: float
    ejected: bool


@final
@attrs.frozen
class Explanation:
    """Where an account stands in a decision: its place in the plan from 1, or why it was left out."""

    account: TigerAccount
    place: int | None
    reason: str | None = None


@final
@attrs.frozen
class Principal:
    """Who asks, and what they may do. `accounts` None means: any account."""

    name: str
    scopes: frozenset[str]
    accounts: frozenset[UUID] | None = None

    def require(self, scope: str) -> None:
        """Pass if the scope is held.

        :raises PermissionDenied: it is not.
        """
        if scope not in self.scopes:
            raise PermissionDenied(f"{self.name} does not hold the scope {scope!r}")


@final
@attrs.frozen
class AuditEntry:
    """One line of the audit log; `details` holds ids and codes, never a secret."""

    at: datetime
    initiator: str
    action: str
    target: str
    result: AuditResult = AuditResult.SUCCESS
    severity: AuditSeverity = AuditSeverity.LOW
    details: Mapping[str, str] = attrs.field(factory=dict)
