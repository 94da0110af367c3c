"""TigerAccountManager on fakes."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import attrs
import pytest
import trio

from tests.conftest import World, add, given, paper
from tigercore import (
    AccountNotFoundError,
    AccountStatus,
    AccountType,
    AccountValidationError,
    DecryptionFailed,
    DefaultAccountError,
    MarketPermission,
    Secret,
    StoreUnavailable,
    Tigercore,
    TokenState,
)
from tigercore._enrolment import changed
from tigercore.ports import Put
from tigercore.testing._gateway import token_text


async def test_a_created_account_is_found_by_its_id(tiger: Tigercore) -> None:
    account = await add(tiger)
    assert account == await tiger.accounts.get_account_by_id(account.id)


async def test_a_created_account_is_found_by_its_number(tiger: Tigercore) -> None:
    account = await add(tiger)
    assert account == await tiger.accounts.get_account_by_number(account.account_number)


async def test_an_unknown_id_is_not_found(tiger: Tigercore) -> None:
    with pytest.raises(AccountNotFoundError, match="no account has the id"):
        await tiger.accounts.get_account_by_id(uuid4())


async def test_credentials_come_back_as_secrets(tiger: Tigercore) -> None:
    account = await add(tiger, tiger_id="20159999", private_key="KEY one")
    credentials = await tiger.accounts.decrypt_credentials(account)
    assert ("20159999", "KEY one") == (credentials["tiger_id"].reveal(), credentials["private_key"].reveal())


async def test_what_is_stored_holds_no_secret(world: World, tiger: Tigercore) -> None:
    await add(tiger, tiger_id="20159999", private_key="KEY one")
    stored = repr(await world.store.accounts()).encode()
    assert not any(text in stored for text in (b"20159999", b"KEY one"))


async def test_an_account_survives_a_restart(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, market_permissions=["US_STOCK"])
    async with world.open() as tiger:
        assert account == await tiger.accounts.get_account_by_id(account.id)


async def test_all_faults_are_named_at_once_and_nothing_is_written(world: World, tiger: Tigercore) -> None:
    with pytest.raises(AccountValidationError, match=r"account_type.*environment.*weight"):
        await add(tiger, account_type="GOLD", environment="moon", weight=-1)
    assert [] == await world.store.accounts()
    assert [] == await world.store.audit()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("12345678", "PAPER"),
        ("20191221901212121", "STANDARD"),
        ("1234", "STANDARD"),
        ("12345678901", "PRIME"),
        ("12345678", "GLOBAL"),
        ("U", "GLOBAL"),
    ],
)
async def test_a_number_that_does_not_fit_the_type_is_refused(tiger: Tigercore, number: str, kind: str) -> None:
    with pytest.raises(AccountValidationError, match="account_number"):
        await add(tiger, account_number=number, account_type=kind)


@pytest.mark.parametrize(
    ("number", "kind"),
    [("12345678", "STANDARD"), ("12345", "PRIME"), ("20191221901212121", "PAPER"), ("DU575569", "GLOBAL")],
)
async def test_a_number_that_fits_the_type_is_taken(tiger: Tigercore, number: str, kind: str) -> None:
    assert kind == (await add(tiger, account_number=number, account_type=kind)).account_type


async def test_a_key_that_cannot_sign_is_refused_without_showing_it(tiger: Tigercore) -> None:
    with pytest.raises(AccountValidationError) as caught:
        await add(tiger, private_key="rubbish-7391")
    assert "rubbish-7391" not in str(caught.value)


async def test_a_number_is_taken_once(tiger: Tigercore) -> None:
    account = await add(tiger)
    with pytest.raises(AccountValidationError, match="has this number already"):
        await add(tiger, account_number=account.account_number)


async def test_a_number_that_another_process_took_is_named_too(world: World, tiger: Tigercore) -> None:
    async with world.open() as other:
        account = await add(other)
        with pytest.raises(AccountValidationError, match="has this number already"):
            await add(tiger, account_number=account.account_number)


async def test_an_account_and_its_audit_line_are_written_together(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    line = (await world.store.audit())[-1].entry
    assert ("account.create", str(account.id), "test") == (line.action, line.target, line.initiator)


async def test_an_account_that_needs_no_token_has_that_status_from_the_start(tiger: Tigercore) -> None:
    assert TokenState.NOT_REQUIRED is (await tiger.tokens.get_token_status(await add(tiger))).state


async def test_an_account_that_lacks_its_token_needs_a_person(tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK")
    assert TokenState.NEEDS_REAUTH is (await tiger.tokens.get_token_status(account)).state


async def test_a_token_that_was_brought_is_valid_and_its_end_is_read_from_it(world: World, tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
    status = await tiger.tokens.get_token_status(account)
    assert (TokenState.VALID, 15) == (status.state, (status.expires_at - world.clock.now()).days)


async def test_an_expired_token_is_refused(world: World, tiger: Tigercore) -> None:
    old = token_text(world.clock.now(), timedelta(days=15))
    world.clock.advance(16 * 86400)
    with pytest.raises(AccountValidationError, match="expired"):
        await add(tiger, license="TBHK", token=old)


async def test_an_update_changes_the_field_and_counts_the_version(tiger: Tigercore) -> None:
    account = await add(tiger)
    updated = await tiger.accounts.update_account(account.id, {"description": "mine"})
    assert ("mine", account.version + 1) == (updated.description, updated.version)


async def test_an_unknown_field_is_refused_by_name(tiger: Tigercore) -> None:
    account = await add(tiger)
    with pytest.raises(AccountValidationError, match="colour: no such field"):
        await tiger.accounts.update_account(account.id, {"colour": "red"})


async def test_the_id_cannot_be_changed(tiger: Tigercore) -> None:
    account = await add(tiger)
    with pytest.raises(AccountValidationError, match="id: no such field"):
        await tiger.accounts.update_account(account.id, {"id": uuid4()})


async def test_changing_a_bound_column_seals_the_credentials_again(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    moved = await tiger.accounts.update_account(account.id, {"account_number": "87654321"})
    assert 2 == (await world.store.accounts([account.id]))[0].sealing
    assert "20150001" == (await tiger.accounts.decrypt_credentials(moved))["tiger_id"].reveal()


@pytest.mark.parametrize(
    "column",
    [
        {"account_number": "87654321"},
        {"environment": "production"},
        {"license": "TBSG"},
        {"server_url": "https://openapi.tigerfintech.com/gateway"},
        {"account_type": "PRIME"},
    ],
    ids=lambda column: next(iter(column)),
)
async def test_a_column_that_was_changed_in_the_database_breaks_the_seal(world: World, column: dict[str, str]) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
    row = (await world.store.accounts())[0]
    flipped, _ = changed(row.account, column, world.clock.now())
    await world.store.apply([Put(attrs.evolve(row, account=flipped))])
    async with world.open() as tiger:
        with pytest.raises(DecryptionFailed):
            await tiger.accounts.decrypt_credentials(account)


async def test_sealed_credentials_do_not_open_in_another_row(world: World) -> None:
    async with world.open() as tiger:
        one, two = await add(tiger), await add(tiger, tiger_id="20150002")
    rows = {row.id: row for row in await world.store.accounts()}
    await world.store.apply([Put(attrs.evolve(rows[one.id], sealed=rows[two.id].sealed))])
    async with world.open() as tiger:
        with pytest.raises(DecryptionFailed):
            await tiger.accounts.decrypt_credentials(one)


async def test_new_credentials_replace_the_old(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.accounts.update_account(account.id, {"private_key": Secret("KEY two")})
    assert "KEY two" == (await tiger.accounts.decrypt_credentials(account))["private_key"].reveal()


async def test_a_deleted_account_is_gone(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.accounts.delete_account(account.id)
    assert [] == await world.store.accounts()
    with pytest.raises(AccountNotFoundError):
        await tiger.accounts.get_account_by_id(account.id)


async def test_there_is_no_default_until_one_is_set(tiger: Tigercore) -> None:
    await add(tiger)
    with pytest.raises(DefaultAccountError, match="set_default_trading_account"):
        await tiger.accounts.get_default_trading_account()


async def test_a_new_default_takes_the_role_from_the_old(tiger: Tigercore) -> None:
    old, new = await add(tiger, is_default_trading=True), await add(tiger)
    await tiger.accounts.set_default_trading_account(new.id)
    assert new.id == (await tiger.accounts.get_default_trading_account()).id
    assert not (await tiger.accounts.get_account_by_id(old.id)).is_default_trading


async def test_an_account_may_be_created_as_the_new_default(tiger: Tigercore) -> None:
    await add(tiger, is_default_data=True)
    new = await add(tiger, is_default_data=True)
    assert new.id == (await tiger.accounts.get_default_data_account()).id


@pytest.mark.parametrize(("trading", "most"), [(True, 5), (False, 10)])
async def test_enough_errors_in_a_row_suspend_an_account(tiger: Tigercore, trading: bool, most: int) -> None:
    account = await add(tiger)
    states = [(await tiger.accounts.increment_error_count(account.id, trading=trading)).status for _ in range(most)]
    assert [AccountStatus.ACTIVE] * (most - 1) + [AccountStatus.SUSPENDED] == states


async def test_a_success_reinstates_an_account_that_errors_have_suspended(tiger: Tigercore) -> None:
    account = await add(tiger)
    for _ in range(5):
        await tiger.accounts.increment_error_count(account.id, trading=True)
    assert AccountStatus.ACTIVE is (await tiger.accounts.reset_error_count(account.id)).status


async def test_a_success_does_not_reinstate_what_a_person_has_suspended(tiger: Tigercore) -> None:
    account = await add(tiger, status="SUSPENDED")
    assert AccountStatus.SUSPENDED is (await tiger.accounts.reset_error_count(account.id)).status


async def test_errors_that_are_counted_at_once_are_all_counted(tiger: Tigercore) -> None:
    account = await add(tiger)
    async with trio.open_nursery() as nursery:
        for _ in range(9):
            nursery.start_soon(tiger.accounts.increment_error_count, account.id)
    assert 9 == (await tiger.accounts.get_account_by_id(account.id)).error_count


async def test_who_sets_the_status_by_hand_has_the_last_word(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.accounts.increment_error_count(account.id)
    await tiger.accounts.update_account_status(account.id, AccountStatus.SUSPENDED)
    await tiger.accounts.increment_error_count(account.id)
    assert AccountStatus.SUSPENDED is (await tiger.accounts.reset_error_count(account.id)).status


async def test_a_change_bears_with_the_writes_of_another_process(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with world.open() as other:
        await other.accounts.update_account(account.id, {"description": "theirs"})
        await tiger.accounts.update_account(account.id, {"weight": 2})
    after = (await world.store.accounts([account.id]))[0].account
    assert ("theirs", 2.0) == (after.description, after.weight)


async def test_permissions_are_added_and_removed(tiger: Tigercore) -> None:
    account = await add(tiger, market_permissions=["US_STOCK"])
    await tiger.accounts.add_market_permissions(account.id, [MarketPermission.HK_STOCK])
    after = await tiger.accounts.remove_market_permissions(account.id, [MarketPermission.US_STOCK])
    assert {MarketPermission.HK_STOCK} == after.market_permissions


async def test_accounts_are_listed_by_what_they_are(tiger: Tigercore) -> None:
    await add(tiger, tags=["a"])
    wanted = await tiger.accounts.create_account(**paper(tags=["a", "b"]))
    assert [wanted] == await tiger.accounts.list_accounts(account_type=AccountType.PAPER, tags=["a"])


async def test_a_number_that_moves_from_one_account_to_another_is_found(world: World, tiger: Tigercore) -> None:
    one, two = await add(tiger), await add(tiger)
    async with world.open() as other:
        await other.accounts.update_account(one.id, {"account_number": "55555555"})
        await other.accounts.update_account(two.id, {"account_number": one.account_number})
    await trio.testing.wait_all_tasks_blocked()
    assert two.id == (await tiger.accounts.get_account_by_number(one.account_number)).id
    assert one.id == (await tiger.accounts.get_account_by_number("55555555")).id


async def test_an_empty_credential_is_refused(tiger: Tigercore) -> None:
    account = await add(tiger)
    with pytest.raises(AccountValidationError, match="empty"):
        await tiger.accounts.update_account(account.id, {"tiger_id": ""})


async def test_a_credential_that_is_no_text_is_refused(tiger: Tigercore) -> None:
    account = await add(tiger)
    with pytest.raises(AccountValidationError, match="private_key"):
        await tiger.accounts.update_account(account.id, {"private_key": b"bytes"})


async def test_the_developer_column_is_bound_to_the_seal(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
    row = (await world.store.accounts())[0]
    await world.store.apply([Put(attrs.evolve(row, account=attrs.evolve(row.account, developer="another")))])
    async with world.open() as tiger:
        with pytest.raises(DecryptionFailed):
            await tiger.accounts.decrypt_credentials(account)


async def test_an_account_of_another_developer_does_not_keep_the_first_ones_token(
    world: World, tiger: Tigercore
) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    await tiger.accounts.update_account(account.id, {"tiger_id": "20159999"})
    assert TokenState.NEEDS_REAUTH is (await tiger.tokens.get_token_status(account)).state


async def test_accounts_of_one_developer_know_each_other_without_the_tiger_id(tiger: Tigercore) -> None:
    one, two, other = await add(tiger), await add(tiger), await add(tiger, tiger_id="20150002")
    assert one.developer == two.developer != other.developer
    assert "20150001" not in one.developer


async def test_rewrap_finds_nothing_to_do_after_a_rotation_and_everything_opens(world: World, tiger: Tigercore) -> None:
    plain = await add(tiger)
    holder = await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
    before = {row.id: row.sealed for row in await world.store.accounts()}
    await tiger.keys.rotate()
    assert 2 == await tiger.accounts.rewrap()
    assert all(before[row.id] != row.sealed for row in await world.store.accounts())
    assert "20150001" == (await tiger.accounts.decrypt_credentials(plain))["tiger_id"].reveal()
    assert await tiger.tokens.token_for(holder)


async def test_a_store_that_is_gone_is_said_so_and_memory_stays_as_it_was(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    world.backend.broken = True
    with pytest.raises(StoreUnavailable):
        await tiger.accounts.update_account(account.id, {"description": "lost"})
    world.backend.broken = False
    assert account == await tiger.accounts.get_account_by_id(account.id)


async def test_the_needed_secrets_are_asked_for(tiger: Tigercore) -> None:
    with pytest.raises(AccountValidationError, match="tiger_id and private_key"):
        await tiger.accounts.create_account(**given(private_key=""))


async def test_an_account_that_comes_to_need_a_token_needs_a_person(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.accounts.update_account(account.id, {"license": "TBHK"})
    assert TokenState.NEEDS_REAUTH is (await tiger.tokens.get_token_status(account)).state


async def test_an_account_that_comes_to_need_a_token_gets_the_one_of_its_developer(
    world: World, tiger: Tigercore
) -> None:
    await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    account = await add(tiger)
    await tiger.accounts.update_account(account.id, {"license": "TBHK"})
    assert TokenState.VALID is (await tiger.tokens.get_token_status(account)).state
