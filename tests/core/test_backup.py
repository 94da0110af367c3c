"""StoreMover on fakes: a backup, and what comes back from it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
import zlib
from pathlib import Path

import attrs
import pytest
from trio.testing import wait_all_tasks_blocked

from tests.core.yard import LOG, Yard, audit, chunks, head_of, is_frozen, line, meanwhile, plain
from tigercore import AuditSeverity, KeyUnavailable, TokenNeedsReauthorisation, TokenState, Unauthorized
from tigercore._dump import Inventory
from tigercore._ringfile import dump
from tigercore.errors import BackupUnusable
from tigercore.ports import Put, Record
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

# -- what comes back ---------------------------------------------------------------------------------------


async def test_a_backup_brings_every_account_back(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    assert [plain(row) for row in await yard.source.accounts()] == [plain(row) for row in await yard.target.accounts()]


async def test_a_backup_brings_the_very_ring_back(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    assert await yard.source.key_ring() == await yard.target.key_ring()


async def test_a_backup_brings_the_logs_back(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    assert await audit(yard.source) == (await audit(yard.target))[:-1]
    ours, theirs = [await store.token_attempts(limit=LOG + 1) for store in (yard.source, yard.target)]
    assert ours == theirs


async def test_a_backup_and_its_restoring_are_audited(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    made, restored = [each for each in await audit(yard.target) if each.action.startswith("store.")]
    assert ("store.backup", "store.restored") == (made.action, restored.action)
    assert (made.target, AuditSeverity.HIGH, "2") == (restored.target, restored.severity, restored.details["tokens"])


async def test_a_backup_counts_what_it_holds(yard: Yard, tmp_path: Path) -> None:
    held = await yard.mover().backup(yard.source, tmp_path / "tiger.backup")
    assert Inventory(2, 2, LOG, len(await audit(yard.source))) == held
    assert held == await yard.restore(tmp_path / "tiger.backup")


async def test_a_backup_does_not_freeze_the_store(yard: Yard, file: Path) -> None:
    assert not await is_frozen(yard.source)


async def test_a_backup_tells_how_far_it_is(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    assert {"writing the logs", "checking the file", "restoring the logs"} == {*yard.progress}


async def test_rows_that_change_during_a_backup_are_those_of_its_beginning(yard: Yard, tmp_path: Path) -> None:
    before = (await yard.source.accounts())[0]

    async def rename() -> None:
        account = attrs.evolve(before.account, description="later")
        await yard.source.apply([Put(attrs.evolve(before, account=account))])

    await yard.mover().backup(meanwhile(yard, "token_attempts", 1, rename), tmp_path / "tiger.backup")
    await yard.restore(tmp_path / "tiger.backup")
    assert plain(before) == plain((await yard.target.accounts())[0])


async def test_a_backup_made_during_a_rotation_opens(yard: Yard, tmp_path: Path) -> None:
    async def rotate() -> None:
        async with yard.world.open() as tiger:
            await tiger.keys.rotate()

    await yard.mover().backup(meanwhile(yard, "token_attempts", 1, rotate), tmp_path / "tiger.backup")
    await yard.restore(tmp_path / "tiger.backup")
    async with yard.new.open() as tiger:
        assert () == (await tiger.keys.verify()).faults


async def test_a_store_without_a_ring_is_not_backed_up(yard: Yard, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="no key ring"):
        await yard.mover().backup(yard.target, tmp_path / "tiger.backup")
    assert [] == names(tmp_path)


async def test_the_file_is_what_the_page_says(yard: Yard, file: Path) -> None:
    whole, ring = content(file), await yard.source.key_ring()
    head, parts = json.loads(head_of(whole)), chunks(whole)
    cipher = ToyCipher(ToyOptions("root"), driver_context())
    assert ring is not None
    await cipher.unlock(ring)
    place = b"tigercore.backup.1\0" + hashlib.sha256(head_of(whole)).digest()
    opened = [
        zlib.decompress(cipher.decrypt(part[4:], context=place + number.to_bytes(8, "big") + bytes([number == last])))
        for last in [len(parts) - 1]
        for number, part in enumerate(parts)
    ]
    lines = [json.loads(line) for text in opened for line in text.decode("ascii").splitlines()]
    assert ["format", "id", "ring"] == [*head]
    assert dump(ring) == json.dumps(head["ring"], indent=1) + "\n"
    assert ["audit", "attempt", "account", "token", "counts"] == [
        *dict.fromkeys(name for each in lines for name in each)
    ]
    assert [{"counts": lines[-1]["counts"]}] == [json.loads(opened[-1])]
    assert hashlib.sha256(whole[:-32]).digest() == whole[-32:]


# -- its tokens --------------------------------------------------------------------------------------------


async def test_a_restored_token_is_in_doubt_and_leased_by_nobody(yard: Yard, tmp_path: Path) -> None:
    row = next(row for row in await yard.source.token_rows() if row.sealed)
    await yard.source.apply(
        [Put(attrs.evolve(row, state=TokenState.REFRESHING, owner="them", lease_until=yard.world.clock.now()))]
    )
    await yard.restore(await yard.backup(tmp_path / "tiger.backup"))
    restored = next(row for row in await yard.target.token_rows() if row.sealed)
    assert (TokenState.UNCERTAIN, None, None) == (restored.state, restored.owner, restored.lease_until)


async def test_a_good_token_is_in_doubt_after_it_was_restored(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    assert {TokenState.UNCERTAIN, TokenState.NOT_REQUIRED} == {row.state for row in await yard.target.token_rows()}


@pytest.mark.parametrize("state", [TokenState.NEEDS_REAUTH, TokenState.DISABLED])
async def test_a_token_that_was_not_good_is_restored_as_it_was(yard: Yard, tmp_path: Path, state: TokenState) -> None:
    row = next(row for row in await yard.source.token_rows() if row.sealed)
    await yard.source.apply([Put(attrs.evolve(row, state=state))])
    await yard.restore(await yard.backup(tmp_path / "tiger.backup"))
    assert state in {row.state for row in await yard.target.token_rows()}


async def test_a_restored_token_is_asked_about_before_it_is_used(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    async with yard.new.open() as tiger:
        holder = next(each for each in await tiger.accounts.list_accounts() if each.needs_token)
        token = await tiger.tokens.token_for(holder)
    assert ["accounts"] == [method for _, method, _ in yard.new.client.calls]
    assert token is not None


async def test_a_restored_token_that_has_died_meanwhile_is_not_used(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    for method in ("accounts", "user_token_refresh"):
        yard.new.client.fail(None, method, Unauthorized(method, "dead", code=401))
    async with yard.new.open() as tiger:
        holder = next(each for each in await tiger.accounts.list_accounts() if each.needs_token)
        with pytest.raises(TokenNeedsReauthorisation):
            await tiger.tokens.token_for(holder)


async def test_a_restored_token_is_asked_about_before_it_is_refreshed(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    async with yard.new.open() as tiger:
        holder = next(each for each in await tiger.accounts.list_accounts() if each.needs_token)
        assert (True, None) == await tiger.tokens.refresh_token(holder)
    assert ["accounts", "user_token_refresh"] == [method for _, method, _ in yard.new.client.calls]


async def test_the_scheduler_asks_about_a_restored_token_by_itself(yard: Yard, file: Path) -> None:
    await yard.restore(file)
    async with yard.new.open() as tiger:
        await tiger.tokens.start_background_refresh_scheduler()
        await wait_all_tasks_blocked()
        await tiger.tokens.stop_background_tasks()
    assert ["accounts"] == [method for _, method, _ in yard.new.client.calls]
    assert TokenState.VALID in {row.state for row in await yard.target.token_rows()}


def names(folder: Path) -> list[str]:
    return os.listdir(folder)


def content(file: Path) -> bytes:
    return file.read_bytes()


# -- the file ----------------------------------------------------------------------------------------------


async def test_only_the_owner_may_read_a_backup(file: Path) -> None:
    assert 0o600 == stat.S_IMODE(os.lstat(file).st_mode)


async def test_a_backup_is_the_one_file_that_is_left(file: Path) -> None:
    assert [file.name] == names(file.parent)


async def test_a_backup_overwrites_nothing(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BackupUnusable, match="there already"):
        await yard.backup(tmp_path / "mine")
    assert "mine" == (tmp_path / "mine").read_text()


async def test_a_file_that_appears_meanwhile_is_not_overwritten(yard: Yard, tmp_path: Path) -> None:
    async def appear() -> None:
        (tmp_path / "mine").write_text("mine")

    with pytest.raises(BackupUnusable, match="there already"):
        await yard.mover().backup(meanwhile(yard, "token_attempts", 1, appear), tmp_path / "mine")
    assert ("mine", ["mine"]) == ((tmp_path / "mine").read_text(), names(tmp_path))


async def test_ctrl_c_leaves_no_half_backup(yard: Yard, tmp_path: Path) -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await yard.mover().backup(meanwhile(yard, "token_attempts", 1, interrupt), tmp_path / "tiger.backup")
    assert [] == names(tmp_path)


async def test_a_backup_shows_no_name_and_no_number(yard: Yard, file: Path) -> None:
    account, whole = (await yard.source.accounts())[0].account, content(file)
    assert [False, False] == [word.encode() in whole for word in (account.account_number, "test.line")]


async def test_chunks_are_of_bounded_size(yard: Yard, tmp_path: Path) -> None:
    noise = random.Random(1)
    await yard.source.apply([Record(attrs.evolve(line(0), target=noise.randbytes(5000).hex())) for _ in range(300)])
    file = await yard.backup(tmp_path / "tiger.backup")
    sizes = [len(chunk) for chunk in chunks(content(file))]
    assert 3 < len(sizes)
    assert 1_060_000 > max(sizes)


async def test_a_line_longer_than_a_chunk_comes_back(yard: Yard, tmp_path: Path) -> None:
    await yard.source.apply([Record(attrs.evolve(line(0), target="x" * 1_100_000))])
    await yard.restore(await yard.backup(tmp_path / "tiger.backup"))
    assert 1_100_000 in {len(each.target) for each in await audit(yard.target)}
