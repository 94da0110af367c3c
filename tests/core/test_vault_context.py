"""What the core binds a secret to is what the golden messages of `tigercore_envelope` are bound to."""

from __future__ import annotations

import json
import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from trio.testing import wait_all_tasks_blocked

from tests.conftest import World, add
from tigercore import AccountType, Authentication, DecryptionFailed, Environment, License, TigerAccount, Tigercore
from tigercore._vault import _account_context, _bound_columns, _token_context, is_bound_alike
from tigercore.ports import Put

_FOLDER = Path(__file__).parents[2] / "plugins" / "tigercore-envelope" / "tests" / "vectors"
_MAKER = runpy.run_path(str(_FOLDER / "make_tgc1.py"))
_OPENS = json.loads((_FOLDER / "tgc1.json").read_text(encoding="utf-8"))["opens"]
_GOLDEN = {case["name"]: tuple(bytes.fromhex(part) for part in case["context"]) for case in _OPENS}
_NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
_PLAIN = TigerAccount(
    id=UUID(bytes=_MAKER["ROW"]),
    account_name="any name",
    account_number="U0000001",
    account_type=AccountType.STANDARD,
    environment=Environment.PRODUCTION,
    created_at=_NOW,
    updated_at=_NOW,
    developer=_MAKER["labelled"]("developer").hex(),
)
_LAST = 2**64 - 1
_ACCOUNTS: dict[str, tuple[dict[str, Any], int]] = {
    "with licence and server": ({"license": License.TBHK, "server_url": _MAKER["URL"]}, 1),
    "with a licence alone": ({"license": License.TBSG}, 1),
    "with a server alone": ({"server_url": _MAKER["URL"]}, 1),
    "with neither": ({}, 1),
    "on paper in the sandbox": (
        {
            "account_number": "12345678901234567",
            "account_type": AccountType.PAPER,
            "environment": Environment.SANDBOX,
        },
        1,
    ),
    "without a developer": ({"developer": ""}, 1),
    "of a unicode number": ({"account_number": "账户-零一"}, 1),
    "of a composed number": ({"account_number": "\u00e9"}, 1),
    "of a decomposed number": ({"account_number": "e\u0301"}, 1),
    "of the last generation": ({}, _LAST),
}
_NO_LICENCE = "with a licence that is empty"  # no account can be so: `License` has no empty word


def _parts(context: bytes) -> tuple[bytes, ...]:
    """Take a context apart; the ring's place, which the cipher puts before it, is that of the vectors."""
    parts = [b"tigercore.ctx.1", _MAKER["RING"]]
    while context:
        size = int.from_bytes(context[:4], "big")
        parts.append(context[4 : 4 + size])
        context = context[4 + size :]
    return tuple(parts)


@pytest.mark.parametrize("name", _ACCOUNTS)
def test_credentials_are_bound_as_in_the_golden_message(name: str) -> None:
    changes, sealing = _ACCOUNTS[name]
    bound = _parts(_account_context(attrs.evolve(_PLAIN, **changes), sealing))
    assert _GOLDEN[f"credentials {name}"] == bound


def test_no_golden_message_of_credentials_is_left_out() -> None:
    there = {name.removeprefix("credentials ") for name in _GOLDEN if name.startswith("credentials ")}
    assert {*_ACCOUNTS, _NO_LICENCE} == there


@pytest.mark.parametrize("sealing", [0, 2, 2**32])
def test_a_token_is_bound_as_in_the_golden_message(sealing: int) -> None:
    assert _GOLDEN[f"token of generation {sealing}"] == _parts(_token_context(_PLAIN.id, sealing))


# -- which columns count -----------------------------------------------------------------------------------

_BOUND: dict[str, Any] = {
    "id": UUID(int=1),
    "account_number": "U0000002",
    "account_type": AccountType.PAPER,
    "environment": Environment.SANDBOX,
    "developer": "another",
    "license": License.TBHK,
    "server_url": "https://elsewhere.example/gateway",
    "authentication": Authentication.OAUTH2,
}
_FREE = {  # they redirect nothing, and change without anything being sealed anew
    "account_name",
    "created_at",
    "updated_at",
    "status",
    "market_permissions",
    "tags",
    "description",
    "weight",
    "is_default_trading",
    "is_default_data",
    "error_count",
    "version",
}


def test_of_every_column_it_is_decided_whether_it_is_bound() -> None:
    assert {field.name for field in attrs.fields(TigerAccount)} == _BOUND.keys() | _FREE


@pytest.mark.parametrize("column", _BOUND)
def test_a_column_that_would_redirect_a_secret_is_bound(column: str) -> None:
    other = attrs.evolve(_PLAIN, **{column: _BOUND[column]})
    assert _account_context(_PLAIN, 1) != _account_context(other, 1)


@pytest.mark.parametrize("column", [column for column in _BOUND if column != "id"])
def test_an_account_whose_bound_column_changed_is_not_bound_alike(column: str) -> None:
    assert not is_bound_alike(_PLAIN, attrs.evolve(_PLAIN, **{column: _BOUND[column]}))


def test_each_sealing_is_bound_to_its_count() -> None:
    contexts = [(_account_context(_PLAIN, sealing), _token_context(_PLAIN.id, sealing)) for sealing in (1, 2)]
    assert 4 == len({context for pair in contexts for context in pair})


def test_an_absent_column_is_told_from_an_empty_one() -> None:
    assert _bound_columns(_PLAIN) != _bound_columns(attrs.evolve(_PLAIN, server_url=""))


# -- a key that was parsed a short while ago ---------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(_BOUND) - {"id"}))
async def test_a_bound_column_that_was_changed_in_the_store_is_noticed_though_the_key_is_in_memory(
    world: World, tiger: Tigercore, name: str
) -> None:
    account = await add(tiger)
    assert tiger.accounts.signer(account)
    (row,) = await world.store.accounts()
    another = {**_BOUND, "environment": Environment.PRODUCTION}[name]
    await world.store.apply([Put(attrs.evolve(row, account=attrs.evolve(row.account, **{name: another})))])
    await wait_all_tasks_blocked()
    with pytest.raises(DecryptionFailed):
        tiger.accounts.signer(account)


async def test_a_key_in_memory_outlives_a_change_that_redirects_nothing(tiger: Tigercore) -> None:
    account = await add(tiger)
    signer = tiger.accounts.signer(account)
    await tiger.accounts.update_account(account.id, {"description": "another"})
    assert signer is tiger.accounts.signer(account)
