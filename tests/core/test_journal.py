"""The recovery journal: what is in it is on the disk, is nobody else's while its owner lives, and shows nothing."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from tests.conftest import World, add
from tigercore import JournalUnusable, Tigercore, TokenRefreshStatus, TokenState
from tigercore._journal import Journal
from tigercore.testing._gateway import token_text


@asynccontextmanager
async def owned(folder: Path, owner: str) -> AsyncIterator[Journal]:
    journal = Journal(folder, owner)
    await journal.ready()
    try:
        yield journal
    finally:
        await journal.aclose()


async def test_an_entry_of_a_living_owner_is_nobody_elses(tmp_path: Path) -> None:
    async with owned(tmp_path / "j", "aa") as one, owned(tmp_path / "j", "bb") as other:
        await one.keep("1", b"sealed")
        assert {} == await other.orphans()


async def test_an_entry_of_a_dead_owner_is_found(tmp_path: Path) -> None:
    async with owned(tmp_path / "j", "aa") as one:
        await one.keep("1", b"sealed")
    async with owned(tmp_path / "j", "bb") as other:
        assert {"1": b"sealed"} == await other.orphans()


async def test_an_entry_that_was_dropped_is_gone_for_all(tmp_path: Path) -> None:
    async with owned(tmp_path / "j", "aa") as one:
        await one.keep("1", b"sealed")
    async with owned(tmp_path / "j", "bb") as other:
        await other.drop("1")
        assert {} == await other.orphans()
    assert [] == list((tmp_path / "j").iterdir())


async def test_an_entry_is_synced_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    sync, rename = os.fsync, Path.rename

    def fsync(file: int) -> None:
        seen.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        sync(file)

    def renamed(path: Path, target: Path) -> Path:
        seen.append("rename")
        return rename(path, target)

    async with owned(tmp_path / "j", "aa") as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "rename", renamed)
        await journal.keep("1", b"sealed")
    assert ["file", "rename", "folder"] == seen


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
async def test_a_disk_that_fails_is_told_of_and_leaves_no_half_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def fsync(file: int) -> None:
        raise OSError(fault, os.strerror(fault))

    async with owned(tmp_path / "j", "aa") as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(JournalUnusable, match="make it writable"):
            await journal.keep("1", b"sealed")
        assert ["aa.lock"] == os.listdir(tmp_path / "j")


async def test_the_folder_and_its_files_are_for_the_owner_only(tmp_path: Path) -> None:
    async with owned(tmp_path / "j", "aa") as journal:
        await journal.keep("1", b"sealed")
        assert 0o700 == stat.S_IMODE((tmp_path / "j").stat().st_mode)
        assert {0o600} == {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "j").iterdir()}


async def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("j").mkdir()
    tmp_path.joinpath("j").chmod(0o777)
    with pytest.raises(JournalUnusable, match="chmod 700"):
        await Journal(tmp_path / "j", "aa").ready()


# -- with the tokens that it is for --------------------------------------------------------------------------


async def test_a_disk_that_is_full_costs_no_token_that_was_received(
    world: World, tiger: Tigercore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    keeper = tiger.tokens._source._refresher._keeper
    keeper._journal = Journal(tmp_path / "j", "aa")
    await keeper._journal.ready()

    def fsync(file: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    assert (True, None) == await tiger.tokens.refresh_token(account)
    [row] = await world.store.token_rows()
    assert (TokenState.VALID, 2) == (row.state, row.sealing)
    await keeper._journal.aclose()


async def test_a_journal_that_cannot_be_written_lets_no_token_be_exchanged(
    world: World, tiger: Tigercore, tmp_path: Path
) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    tmp_path.joinpath("j").mkdir()
    tmp_path.joinpath("j").chmod(0o777)
    tiger.tokens._source._refresher._keeper._journal = Journal(tmp_path / "j", "aa")
    success, why = await tiger.tokens.refresh_token(account)
    assert not success
    assert "chmod 700" in str(why)
    assert [] == world.client.calls
    assert [] == await world.store.token_attempts()


async def test_a_token_that_was_not_stored_is_adopted_and_its_entry_shows_nothing(
    world: World, tiger: Tigercore, tmp_path: Path
) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    old = await world.store.token_rows()
    world.clock.advance(60)
    await tiger.tokens.refresh_token(account)
    [attempt], fresh = await world.store.token_attempts(), await tiger.tokens.token_for(account)
    assert fresh is not None
    keeper = tiger.tokens._source._refresher._keeper
    async with owned(tmp_path / "j", "aa") as dead:
        keeper._journal = dead
        await keeper.note(account, attempt, fresh)
        [entry] = (tmp_path / "j").glob("*.tgc")
        assert fresh.value.reveal().encode() not in entry.read_bytes()
    tables = world.backend._tables  # the process was killed before its commit
    tables.tokens[account.id] = attrs.evolve(old[0], version=tables.tokens[account.id].version)
    tables.attempts.clear()
    async with world.open() as again:
        keeper = again.tokens._source._refresher._keeper
        async with owned(tmp_path / "j", "bb") as journal:
            keeper._journal = journal
            await keeper.adopt()
            assert fresh == await again.tokens.token_for(account)
            assert {} == await journal.orphans()
        assert [TokenRefreshStatus.SUCCEEDED] == [each.status for each in await world.store.token_attempts()]
