"""Laws of many writers, and of what happens when things go wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tigercore.errors import StaleVersion, StoreUnavailable
from tigercore.ports import AccountStore, Change, Put, Record
from tigercore.testing._store_laws import PROMPT, StoreLaws, StoreMaker, counted, everything
from tigercore.testing._store_samples import account_row, at_version, attempt, audit_entry, key_ring, token_row


class SafetyLaws(StoreLaws):
    """Laws of concurrency, failure and secrecy."""

    async def test_of_twenty_concurrent_writers_one_wins(self, store: AccountStore, store_maker: StoreMaker) -> None:
        row = account_row()
        await store.apply([Put(row)])
        outcomes: list[bool] = []

        async def write(handle: AccountStore, number: int) -> None:
            try:
                await handle.apply([Put(at_version(row, 1, error_count=number)), Record(audit_entry())])
            except StaleVersion:
                outcomes.append(False)
            else:
                outcomes.append(True)

        async with store_maker() as other, trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(write, (store, other)[number % 2], number)
        assert [False] * 19 + [True] == sorted(outcomes)
        assert (1, 1) == (len(await store.audit()), len(await store.accounts()))

    async def test_what_was_written_survives_reopening(self, store_maker: StoreMaker) -> None:
        row = account_row()
        changes: list[Change] = [
            Put(row),
            Put(token_row(row)),
            Put(key_ring()),
            Record(attempt(row.id)),
            Record(audit_entry()),
        ]
        async with store_maker() as store:
            await store.apply(changes)
            before = await everything(store)
        async with store_maker() as store:
            assert before == await everything(store)
            assert all(before)

    async def test_every_method_says_that_the_backend_is_gone(
        self, store: AccountStore, break_backend: Callable[[], None]
    ) -> None:
        revision = await store.apply([Put(account_row())])
        break_backend()
        for name, call in _every_method(store, revision).items():
            with trio.fail_after(PROMPT):
                try:
                    await call()
                except StoreUnavailable:
                    continue
            pytest.fail(f"{name} answered although the backend is gone")

    @pytest.mark.parametrize(
        "fields",
        [{"error_count": 2**63}, {"description": "\ud800"}, {"description": "\x00"}],
        ids=["2**63", "half a surrogate pair", "NUL"],
    )
    async def test_a_value_is_held_as_it_is_or_refused(self, store: AccountStore, fields: dict[str, Any]) -> None:
        row = account_row(**fields)
        try:
            await store.apply([Record(audit_entry()), Put(row)])
        except StoreUnavailable:
            assert (0, 0, 0, 0) == await counted(store)
        else:
            found = (await store.accounts())[0].account
            assert fields == {name: getattr(found, name) for name in fields}

    async def test_no_log_shows_what_was_given(self, store: AccountStore, caplog: pytest.LogCaptureFixture) -> None:
        row = account_row(sealed=b"sealed-canary", account_number="87654321")
        with caplog.at_level(logging.DEBUG):
            await store.apply([Put(row)])
            with pytest.raises(StaleVersion):
                await store.apply([Put(row)])
            await store.accounts()
        _require_hidden(caplog.text)

    async def test_no_error_shows_what_was_given(self, store: AccountStore, break_backend: Callable[[], None]) -> None:
        row = account_row(sealed=b"sealed-canary", account_number="87654321")
        await store.apply([Put(row)])
        with pytest.raises(StaleVersion) as stale:
            await store.apply([Put(row)])
        break_backend()
        with pytest.raises(StoreUnavailable) as gone:
            await store.apply([Put(row)])
        for error in (stale.value, gone.value):
            _require_hidden("".join(traceback.format_exception(error)) + repr(_chain(error)))


def _every_method(store: AccountStore, revision: int) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "apply": lambda: store.apply([Put(account_row())]),
        "apply of a log line": lambda: store.apply([Record(audit_entry())]),
        "accounts": store.accounts,
        "token_rows": store.token_rows,
        "delta": store.delta,
        "token_attempts": store.token_attempts,
        "attempt_statistics": store.attempt_statistics,
        "claim_due_tokens": lambda: store.claim_due_tokens("me", 60, 1),
        "key_ring": store.key_ring,
        "audit": store.audit,
        "wait_for_change": lambda: store.wait_for_change(revision),
    }


def _chain(error: BaseException | None) -> list[object]:
    """Return the arguments of an error and of all that it is chained to, also where the chain is not shown."""
    chain: list[object] = []
    while error is not None:
        chain += [error.args, vars(error)]
        error = error.__cause__ or error.__context__
    return chain


def _require_hidden(text: str) -> None:
    shown = [secret for secret in ("sealed-canary", b"sealed-canary".hex(), "87654321") if secret in text]
    assert [] == shown


class AtRestLaws(StoreLaws):
    """Laws of what lies at rest, for stores that outlive their process."""

    @pytest.fixture
    def raw_bytes(self) -> Callable[[], bytes]:
        """Return what reads all that lies at rest, around the API."""
        raise NotImplementedError("override the fixture raw_bytes")

    async def test_at_rest_lie_the_sealed_bytes_as_they_were_given(
        self, store_maker: StoreMaker, raw_bytes: Callable[[], bytes]
    ) -> None:
        row = account_row(sealed=b"TGC1 the account's")
        async with store_maker() as store:
            await store.apply([Put(row), Put(token_row(row, sealed=b"TGC1 the token's"))])
            found = raw_bytes()
        assert (True, True) == (b"TGC1 the account's" in found, b"TGC1 the token's" in found)
