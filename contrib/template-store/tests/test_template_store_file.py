from __future__ import annotations

import fcntl
import itertools
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
import trio
import trio.testing

from tigercore.errors import StaleVersion, StoreUnavailable
from tigercore.model import AccountType, Environment, TigerAccount
from tigercore.ports import AccountRow, Put, SchemaStatus
from tigercore.testing.clock import ManualClock, driver_context
from tigercore_template_store import JsonFileOptions, JsonFileStore

pytestmark = pytest.mark.trio

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ROUNDS = 20
_numbers = itertools.count(10_000_000)


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def account_row(**fields: Any) -> AccountRow:
    given = {"id": uuid4(), "account_name": "one", "account_number": str(next(_numbers)), **fields}
    paper = {"account_type": AccountType.PAPER, "environment": Environment.SANDBOX}
    return AccountRow(TigerAccount(created_at=NOON, updated_at=NOON, **paper, **given), b"sealed")


async def refusal(options: JsonFileOptions) -> str:
    with pytest.raises(StoreUnavailable) as refused:
        async with JsonFileStore.open(options, driver_context()):
            pass
    return str(refused.value)


def leave_half_of_a_batch(options: JsonFileOptions) -> None:
    Path(f"{options.path}.new").write_text('{"form')


@contextmanager
def locked(options: JsonFileOptions) -> Iterator[None]:
    """Be another process that writes."""
    with open(f"{options.path}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def test_what_is_written_is_for_its_owner_alone(options: JsonFileOptions) -> None:
    before = os.umask(0)
    try:
        async with JsonFileStore.open(options, driver_context()) as store:
            await store.apply([Put(account_row())])
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in options.file.path.parent.iterdir()}
    assert {"store.json": 0o600, "store.json.lock": 0o600} == modes


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("not JSON", "is not one of tigercore's: name another file"),
        ("", "is not one of tigercore's"),
        ("[" * 100_000, "is not one of tigercore's"),
        ('{"name": "another program\'s"}', "is not one of tigercore's"),
        ('{"format": 1, "ring": "of another kind"}', "or restore it from a backup"),
        ('{"format": 2}', "has another format than 1: run: pip install --upgrade"),
    ],
    ids=["no JSON", "nothing", "too deep", "not ours", "damaged", "newer"],
)
async def test_what_cannot_be_used_is_told_in_one_line(options: JsonFileOptions, content: str, expected: str) -> None:
    options.file.path.write_text(content)
    told = await refusal(options)
    assert (True, 1) == (expected in told, len(told.splitlines())), told


async def test_a_file_that_others_may_read_is_refused_with_the_command_that_helps(options: JsonFileOptions) -> None:
    options.file.path.chmod(0o640)
    assert f"run: chmod 600 {options.path}" in await refusal(options)


async def test_a_link_in_the_place_of_the_file_is_refused(options: JsonFileOptions, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(options.path)
    assert "cannot be used" in await refusal(JsonFileOptions(str(link)))


async def test_a_pipe_in_the_place_of_the_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with trio.fail_after(3):
        assert "must be a file" in await refusal(JsonFileOptions(str(tmp_path / "pipe")))


async def test_a_file_that_is_not_there_is_not_made_by_opening_it(tmp_path: Path) -> None:
    assert "run: tigercore db migrate" in await refusal(JsonFileOptions(str(tmp_path / "x.json")))
    assert [] == names_in(tmp_path)


async def test_a_folder_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    options = JsonFileOptions(str(tmp_path / "no" / "x.json"))
    with pytest.raises(StoreUnavailable, match=f"run: mkdir -p -m 700 {tmp_path}/no"):
        await JsonFileStore.schema(options).migrate()


@pytest.mark.parametrize("move", ["status", "migrate", "rollback", "check", "purge"])
async def test_a_file_of_another_program_is_left_as_it_is(options: JsonFileOptions, move: str) -> None:
    options.file.path.write_text('{"theirs": 1}')
    with pytest.raises(StoreUnavailable, match="is not one of tigercore's"):
        await getattr(JsonFileStore.schema(options), move)()
    assert '{"theirs": 1}' == options.file.path.read_text()


async def test_no_error_is_chained_to_one_that_holds_what_the_file_holds(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        options.file.path.write_text("canary")
        with pytest.raises(StoreUnavailable) as refused:
            await store.accounts()
    assert (None, None) == (refused.value.__cause__, refused.value.__context__)


async def test_a_text_that_cannot_be_written_is_in_no_error(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        with pytest.raises(StoreUnavailable) as refused:
            await store.apply([Put(account_row(description="canary \ud800"))])
    assert (None, None) == (refused.value.__cause__, refused.value.__context__)


async def test_migrating_again_keeps_what_is_stored(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        assert SchemaStatus("1", "1") == await JsonFileStore.schema(options).migrate()
        assert 1 == len(await store.accounts())


async def test_a_rollback_leaves_an_empty_place(options: JsonFileOptions) -> None:
    assert SchemaStatus(None, "1", ("1",)) == await JsonFileStore.schema(options).rollback()
    assert SchemaStatus(None, "1", ("1",)) == await JsonFileStore.schema(options).status()


async def test_there_is_nothing_to_take_back_of_an_empty_place(options: JsonFileOptions) -> None:
    await JsonFileStore.schema(options).rollback()
    with pytest.raises(StoreUnavailable, match="there is no "):
        await JsonFileStore.schema(options).rollback()


async def test_a_check_names_a_rule_that_the_file_breaks(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row(account_number="1")), Put(account_row(account_number="2"))])
    stored = json.loads(options.file.path.read_text())
    for row in stored["accounts"].values():
        row["account"]["account_number"] = "3"
    options.file.path.write_text(json.dumps(stored))
    assert ["two accounts have one number"] == await JsonFileStore.schema(options).check()


async def test_a_purge_removes_what_a_killed_writer_left(options: JsonFileOptions) -> None:
    leave_half_of_a_batch(options)
    await JsonFileStore.schema(options).purge()
    assert ["store.json", "store.json.lock"] == names_in(options.file.path.parent)


async def test_a_killed_writer_is_in_nobodys_way(options: JsonFileOptions) -> None:
    leave_half_of_a_batch(options)
    async with JsonFileStore.open(options, driver_context()) as store:
        assert 1 == await store.apply([Put(account_row())])


async def test_a_disk_that_is_full_leaves_what_stood(options: JsonFileOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async with JsonFileStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        before = options.file.path.read_bytes()
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable, match="cannot be used: No space left on device"):
            await store.apply([Put(account_row())])
        assert before == options.file.path.read_bytes()


async def test_its_time_is_that_of_its_clock(options: JsonFileOptions) -> None:
    clock = ManualClock()
    async with JsonFileStore.open(options, driver_context(clock)) as store:
        clock.advance(90)
        assert clock.now() == (await store.delta()).now


async def test_a_write_that_waits_for_another_process_can_be_cancelled(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        with locked(options), trio.move_on_after(0.1) as waited:
            await store.apply([Put(account_row())])
        assert waited.cancelled_caught
        assert 0 == await store.wait_for_change(-1)


async def test_a_write_waits_until_another_process_is_done(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store, trio.open_nursery() as nursery:
        with locked(options):
            nursery.start_soon(store.apply, [Put(account_row())])
            with trio.move_on_after(0.1):
                await store.wait_for_change(0)
            assert [] == await store.accounts()
        with trio.fail_after(3):
            assert 1 == await store.wait_for_change(0)


async def test_who_waits_is_told_that_the_file_is_gone(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:

        async def wait() -> None:
            with pytest.raises(StoreUnavailable, match="run: tigercore db migrate"):
                await store.wait_for_change(0)

        with trio.fail_after(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked(0.05)
                options.file.path.unlink()


async def test_three_processes_that_read_and_write_lose_no_update(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(trio.run_process, [sys.executable, __file__, options.path])
        assert [3 * ROUNDS] == [row.account.error_count for row in await store.accounts()]


async def test_a_write_of_another_process_wakes_who_waits(options: JsonFileOptions) -> None:
    async with JsonFileStore.open(options, driver_context()) as store:
        revision = await store.apply([Put(account_row())])
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.run_process, [sys.executable, __file__, options.path])
                assert revision < await store.wait_for_change(revision)


async def count(options: JsonFileOptions) -> None:
    """Read, add one and write; what somebody else was faster with does not count."""
    async with JsonFileStore.open(options, driver_context()) as store:
        counted = 0
        while counted < ROUNDS:
            (row,) = await store.accounts()
            more = attrs.evolve(row.account, error_count=row.account.error_count + 1)
            with suppress(StaleVersion):
                await store.apply([Put(attrs.evolve(row, account=more))])
                counted += 1


if __name__ == "__main__":
    trio.run(count, JsonFileOptions(sys.argv[1]))
