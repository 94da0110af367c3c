"""The accounts in memory, and who of them is eligible for what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import final
from uuid import UUID

from tigercore._eligibility import Eligibility, kind_of, routes_alike
from tigercore.errors import AccountNotFoundError
from tigercore.model import Environment, TigerAccount
from tigercore.ports import AccountRow, Candidate

NOBODY: frozenset[UUID] = frozenset()
_KEPT = 256  # sets of candidates that are remembered


@final
class Directory:
    """Account rows, sealed as they are, with the indexes that routing reads. Nothing in here waits."""

    def __init__(self) -> None:
        self._rows: dict[UUID, AccountRow] = {}
        self._candidates: dict[UUID, Candidate] = {}
        self._eligible: dict[tuple[Eligibility, frozenset[UUID]], tuple[Candidate, ...]] = {}
        self._numbers: dict[str, UUID] = {}
        self._developers: dict[str, dict[UUID, None]] = {}
        self._defaults: dict[str, Candidate | None] = {}
        self._kinds: dict[Eligibility, frozenset[tuple[bool, Environment]]] = {}

    @property
    def rows(self) -> Mapping[UUID, AccountRow]:
        """Return all account rows by id, in the order of their creation."""
        return MappingProxyType(self._rows)

    def row(self, account_id: UUID) -> AccountRow:
        """Return the row of an account.

        :raises AccountNotFoundError: there is none.
        """
        try:
            return self._rows[account_id]
        except KeyError:
            raise AccountNotFoundError(f"no account has the id {account_id}") from None

    def numbered(self, account_number: str) -> TigerAccount | None:
        """Return the account with this number, None if there is none."""
        account_id = self._numbers.get(account_number)
        return None if account_id is None else self._rows[account_id].account

    def of(self, developer: str) -> Iterable[UUID]:
        """Return the ids of the accounts of a developer."""
        return self._developers.get(developer, ())

    def candidate(self, account_id: UUID) -> Candidate:
        """Return the one candidate that carries this account's statistics."""
        return self._candidates[account_id]

    def eligible(self, wanted: Eligibility, resting: frozenset[UUID] = NOBODY) -> tuple[Candidate, ...]:
        """Return who may carry such a call and does not rest: the same tuple until an account changes or others rest.

        An account that is named is returned even if it rests.
        """
        if wanted.id is not None:
            named = self._candidates.get(wanted.id)
            return () if named is None or wanted.refusal(named.account) is not None else (named,)
        found = self._eligible.get((wanted, resting))
        if found is None:
            if len(self._eligible) >= _KEPT:
                self._eligible.clear()
            found = self._eligible[wanted, resting] = tuple(self._chosen(wanted, resting))
        return found

    def kinds(self, wanted: Eligibility) -> frozenset[tuple[bool, Environment]]:
        """Return which kinds of account fit, whatever their status: paper or live, and in which environment."""
        found = self._kinds.get(wanted)
        if found is None:
            fitting = (c.account for c in self._candidates.values() if wanted.mismatch(c.account) is None)
            found = self._kinds[wanted] = frozenset(map(kind_of, fitting))
        return found

    def default(self, flag: str) -> Candidate | None:
        """Return the account that holds `is_default_trading` or `is_default_data`, None if none does."""
        if flag not in self._defaults:
            holders = (c for c in self._candidates.values() if getattr(c.account, flag))
            self._defaults[flag] = next(holders, None)
        return self._defaults[flag]

    def keep(self, row: AccountRow) -> None:
        """Take a row in, unless it was read before the one that is here was written."""
        before = self._rows.get(row.id)
        if before is not None:
            if before.version >= row.version:
                return
            self._forget(before.account)
        self._rows[row.id] = row
        self._numbers[row.account.account_number] = row.id
        self._developers.setdefault(row.account.developer, {})[row.id] = None
        candidate = self._candidates.setdefault(row.id, Candidate(row.account))
        candidate.account = row.account
        if before is None or not routes_alike(before.account, row.account):
            self._reindex()

    def drop(self, account_id: UUID) -> None:
        """Take an account out, if it is here."""
        row = self._rows.pop(account_id, None)
        if row is not None:
            self._forget(row.account)
            del self._candidates[account_id]
            self._reindex()

    def _chosen(self, wanted: Eligibility, resting: frozenset[UUID]) -> Iterator[Candidate]:
        if resting:
            return (c for c in self.eligible(wanted) if c.account.id not in resting)
        return (c for c in self._candidates.values() if wanted.refusal(c.account) is None)

    def _forget(self, account: TigerAccount) -> None:
        if self._numbers.get(account.account_number) == account.id:
            del self._numbers[account.account_number]
        self._developers[account.developer].pop(account.id, None)

    def _reindex(self) -> None:
        self._eligible.clear()
        self._defaults.clear()
        self._kinds.clear()
