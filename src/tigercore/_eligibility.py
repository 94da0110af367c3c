"""Which accounts may carry a call: a wish, and why an account does not meet it."""

from __future__ import annotations

from typing import final
from uuid import UUID

import attrs

from tigercore.model import AccountStatus, AccountType, Environment, License, MarketPermission, TigerAccount


@final
@attrs.frozen(cache_hash=True)
class Eligibility:
    """Which accounts may carry a call; None and empty mean: any. The key of the index, so it is cached and hashed."""

    account_type: AccountType | None = None
    environment: Environment | None = None
    license: License | None = None
    market_permissions: frozenset[MarketPermission] = frozenset()
    paper: bool | None = None
    id: UUID | None = None

    def refusal(self, account: TigerAccount) -> str | None:
        """Return why this account may not carry the call, None if it may."""
        if account.status is not AccountStatus.ACTIVE:
            return f"status is {account.status}"
        return self.mismatch(account)

    def mismatch(self, account: TigerAccount) -> str | None:
        """Return what about the account, whatever its status, is not as wished; None if nothing is."""
        if self.id is not None and account.id != self.id:
            return "another account is meant: the one that was named, or the default one"
        for name in ("account_type", "environment", "license"):
            wanted = getattr(self, name)
            if wanted is not None and getattr(account, name) != wanted:
                return f"{name} is {getattr(account, name)}, not {wanted}"
        if self.paper is not None and account.is_paper is not self.paper:
            return "paper and live accounts are never mixed in trading"
        if missing := self.market_permissions - account.market_permissions:
            return f"lacks {', '.join(sorted(missing))}"
        return None


def kind_of(account: TigerAccount) -> tuple[bool, Environment]:
    """Return what must never be mixed in trading: paper or live, and the environment."""
    return account.is_paper, account.environment


def routes_alike(one: TigerAccount, other: TigerAccount) -> bool:
    """Say whether two states of an account differ only in what no choice of an account depends on."""
    return attrs.evolve(one, error_count=0, version=0, updated_at=other.updated_at, description="") == attrs.evolve(
        other, error_count=0, version=0, description=""
    )
