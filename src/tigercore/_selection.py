"""Who may carry an operation, and in which order they are tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from itertools import chain, filterfalse, islice
from typing import Any, TypedDict, TypeVar, final
from uuid import UUID

import attrs

from tigercore._budget import Budgets
from tigercore._eligibility import Eligibility, kind_of
from tigercore._health import Health
from tigercore._plugins import Hooks
from tigercore._snapshot import NOBODY, Snapshot
from tigercore.errors import NoAccountsAvailableError, OperationNotSupportedError, RateLimited
from tigercore.model import (
    AccountType,
    Environment,
    Explanation,
    License,
    MarketPermission,
    Operation,
    OperationClass,
    TigerAccount,
)
from tigercore.ports import Candidate, LoadBalancer

_KEPT = 256  # wishes that are remembered
W = TypeVar("W", bound=StrEnum)


class Wish(TypedDict, total=False):
    """What a caller may say about the account to choose; what is left out means: any."""

    market_permissions: Collection[MarketPermission]
    environment: Environment | str | None
    account_type: AccountType | str | None
    license: License | str | None
    strategy: str | None


@final
class Selection:
    """Choose candidates from the snapshot. Nothing in here waits."""

    def __init__(
        self,
        snapshot: Snapshot,
        health: Health,
        budgets: Budgets,
        hooks: Hooks,
        balancers: Mapping[str, LoadBalancer],
        strategy: str,
    ) -> None:
        self._snapshot = snapshot
        self._health = health
        self._budgets = budgets
        self._hooks = hooks
        self._balancers = balancers
        self._strategy = strategy

    def plan(
        self, operation: Operation, wanted: Eligibility, strategy: str | None = None, first: Candidate | None = None
    ) -> Iterator[Candidate]:
        """Yield candidates in the order to try them; those that rest are left out, but for one that was named.

        If every one of them rests because its calls fail, the gateway is to blame: reads go on, writes fail fast.

        :raises OperationNotSupportedError: no such strategy was loaded.
        """
        resting = self._health.resting()
        candidates = self.candidates(operation, wanted, resting)
        if not candidates and operation.safety.read_only:
            candidates = self.candidates(operation, wanted)
        if first is not None and (first.account.id in resting or self._is_filtered(first, candidates)):
            first = None
        balancer = self._balancer(strategy)
        ordered = candidates if wanted.id else list_first(first, balancer.plan(operation, candidates))
        return filterfalse(lambda candidate: self._budgets.wait(operation, candidate.account), ordered)

    def candidates(
        self, operation: Operation, wanted: Eligibility, resting: frozenset[UUID] = NOBODY
    ) -> tuple[Candidate, ...]:
        """Return who is eligible and does not rest, less those that a plugin leaves out."""
        return self._hooks.filter(operation, self._snapshot.eligible(wanted, resting))

    def decide(
        self, operation: Operation, wanted: Eligibility, strategy: str | None
    ) -> tuple[Eligibility, Candidate | None]:
        """Narrow a wish to the accounts that an operation may go to, and say which of them to try first.

        What is read of an account is read of the default trading account, unless the caller names an account or a
        strategy: it is never another's. Errors as `firewall`.
        """
        if wanted.id is not None or operation.safety is OperationClass.MARKET_DATA:
            return wanted, None
        if not operation.safety.read_only:
            return self.firewall(operation, wanted)
        default = self._snapshot.default("is_default_trading")
        if strategy is not None or default is None or wanted.mismatch(default.account) is not None:
            return wanted, None
        return attrs.evolve(wanted, id=default.account.id), None

    def firewall(self, operation: Operation, wanted: Eligibility) -> tuple[Eligibility, Candidate | None]:
        """Narrow a write to accounts of one kind: paper or live, in one environment (architecture 7).

        The default trading account says which kind is meant, whether it can carry the call itself or not; only a wish
        that names account type or environment says otherwise. Returns that account if it is the first to try.

        :raises NoAccountsAvailableError: several kinds fit, and nothing says which is meant.
        """
        default, kinds = self._snapshot.default("is_default_trading"), self._snapshot.kinds(wanted)
        if default is not None:
            account = default.account
            named = wanted.account_type is not None or wanted.environment is not None
            if not named or (len(kinds) > 1 and kind_of(account) in kinds):
                wanted = attrs.evolve(wanted, paper=account.is_paper, environment=account.environment)
                return wanted, default if wanted.refusal(account) is None else None
        if len(kinds) > 1:
            raise NoAccountsAvailableError(
                f"{operation.method} is refused: accounts of several kinds, paper and live or of several environments, "
                "could carry it. Pass account=… or account_type=…, or choose a default trading account"
            )
        first = default if default is not None and wanted.refusal(default.account) is None else None
        return wanted, first

    def home(self, operation: Operation, wanted: Eligibility) -> Eligibility:
        """Narrow a call that belongs to one account, which nothing names, to the only account that fits.

        :raises OperationNotSupportedError: several fit.
        """
        fitting = (row.account.id for row in self._snapshot.rows.values() if wanted.mismatch(row.account) is None)
        found = list(islice(fitting, 2))
        if len(found) > 1:
            raise OperationNotSupportedError(
                f"{operation.method} belongs to one account, and several could be meant: pass account=…"
            )
        return attrs.evolve(wanted, id=found[0]) if found else wanted

    def default(self, flag: str, wanted: Eligibility) -> Candidate | None:
        """Return the default account of a kind, if there is one and it is eligible."""
        candidate = self._snapshot.default(flag)
        return candidate if candidate is not None and wanted.refusal(candidate.account) is None else None

    def explain(
        self, operation: Operation, wanted: Eligibility, strategy: str | None, first: Candidate | None
    ) -> list[Explanation]:
        """List every account with its place in the plan, or with the reason why it has none."""
        planned = list(self.plan(operation, wanted, strategy, first))
        places = [Explanation(candidate.account, place) for place, candidate in enumerate(planned, 1)]
        known = {candidate.account.id for candidate in planned}
        others = (row.account for row in self._snapshot.rows.values() if row.id not in known)
        return places + [Explanation(a, None, self._refusal(operation, wanted, a)) for a in others]

    def refusals(self, operation: Operation, wanted: Eligibility, account: TigerAccount) -> Iterator[str]:
        """Yield everything that keeps an account out of a plan."""
        if reason := wanted.refusal(account):
            yield reason
        if seconds := self._budgets.wait(operation, account):
            yield f"the budget of {operation.group} is spent for {seconds:.0f} s"
        if account.id in self._health.resting():
            yield "its calls fail, so it rests"

    def _refusal(self, operation: Operation, wanted: Eligibility, account: TigerAccount) -> str:
        return next(self.refusals(operation, wanted, account), "a plugin left it out")

    def nobody(self, operation: Operation, wanted: Eligibility) -> NoAccountsAvailableError | RateLimited:
        """Return the error that tells why there is no candidate at all."""
        accounts = [row.account for row in self._snapshot.rows.values() if wanted.id in (None, row.id)]
        waits = [self._budgets.wait(operation, a) for a in accounts if wanted.refusal(a) is None]
        if waits and min(waits) > 0:
            return RateLimited(operation.method, "every account's budget is spent", retry_after=min(waits))
        reasons = "; ".join(f"{a.account_name}: {self._refusal(operation, wanted, a)}" for a in accounts[:5])
        more = f"; and {len(accounts) - 5} more" if len(accounts) > 5 else ""
        return NoAccountsAvailableError(f"no account can carry {operation.method}: {reasons or 'there is none'}{more}")

    def _balancer(self, strategy: str | None) -> LoadBalancer:
        try:
            return self._balancers[strategy or self._strategy]
        except KeyError:
            loaded = ", ".join(sorted(self._balancers))
            raise OperationNotSupportedError(
                f"no strategy {strategy!r} is loaded; name it under router.strategies; loaded: {loaded}"
            ) from None

    def _is_filtered(self, candidate: Candidate, candidates: tuple[Candidate, ...]) -> bool:
        return self._hooks.can_filter and candidate not in candidates


def list_first(first: Candidate | None, plan: Iterable[Candidate]) -> Iterable[Candidate]:
    """Put one candidate before all others of a plan."""
    if first is None:
        return plan
    return chain((first,), (candidate for candidate in plan if candidate is not first))


def belongs_to_one(operation: Operation, params: Mapping[str, Any], strategy: str | None) -> bool:
    """Say whether only one account can be meant, so that none may stand in for it.

    An `order_id` counts for one account only (protocol 9.3); what is read of an account is nobody else's.
    """
    if operation.safety is OperationClass.CREATE:
        return params.get("order_id") is not None
    if operation.safety.read_only:
        return operation.safety is not OperationClass.MARKET_DATA and strategy is None
    return True


def moves(safety: OperationClass) -> bool:
    """Say whether a call of this class may go to another account than the first (reliability 4.1)."""
    return safety in (OperationClass.MARKET_DATA, OperationClass.CREATE)


def wanted_by(wish: Wish, pinned: UUID | None = None) -> Eligibility:
    """Turn what a caller said into what the index is asked for."""
    asked = wish.get("account_type"), wish.get("environment"), wish.get("license")
    return _eligibility(*asked, tuple(wish.get("market_permissions", ())), pinned)


@lru_cache(_KEPT)
def _eligibility(
    kind: str | None,
    environment: str | None,
    license: str | None,
    permissions: tuple[MarketPermission, ...],
    pinned: UUID | None,
) -> Eligibility:
    return Eligibility(
        account_type=_word(AccountType, kind),
        environment=_word(Environment, environment),
        license=_word(License, license),
        market_permissions=frozenset(permissions),
        id=pinned,
    )


def _word(kind: type[W], text: str | None) -> W | None:
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        words = ", ".join(kind)
        raise OperationNotSupportedError(f"{text!r} is no {kind.__name__}; use one of {words}") from None
