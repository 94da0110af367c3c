"""StoreMover on fakes: files that are not restored."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import attrs
import pytest

from tests.core.yard import Yard, audit, chunks, freeze, head_of, is_untouched, line
from tigercore import AuditEntry, KeyUnavailable, StoreUnavailable, TigerCoreError, _archive
from tigercore._dump import Inventory
from tigercore.errors import BackupUnusable
from tigercore.moving import StoreMover
from tigercore.ports import Record
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context


def summed(parts: bytes) -> bytes:
    """Return a backup with the checksum that fits: who changes a file on purpose writes that too."""
    return parts + hashlib.sha256(parts).digest()


@pytest.fixture
async def small(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return a backup of several chunks."""
    monkeypatch.setattr("tigercore._archive._CHUNK", 100_000)
    return (await yard.backup(tmp_path / "small.backup")).read_bytes()


async def refusal(yard: Yard, tmp_path: Path, whole: bytes) -> str:
    (tmp_path / "changed").write_bytes(whole)
    with pytest.raises(TigerCoreError) as refused:
        await yard.restore(tmp_path / "changed")
    assert await is_untouched(yard.target)
    return str(refused.value)


async def test_a_backup_of_several_chunks_comes_back(yard: Yard, tmp_path: Path, small: bytes) -> None:
    assert 4 < len(chunks(small))
    await yard.restore(tmp_path / "small.backup")
    assert await audit(yard.source) == (await audit(yard.target))[:-1]


async def test_a_file_that_was_cut_off_is_damaged(yard: Yard, tmp_path: Path, small: bytes) -> None:
    ends = [len(head_of(small)), *(len(head_of(small)) + sum(map(len, chunks(small)[:n])) for n in range(1, 9))]
    for length in (*ends, len(small) - 32, len(small) - 1, len(small) // 2):
        assert "is damaged, its checksum does not fit" in await refusal(yard, tmp_path, small[:length])


async def test_a_file_that_was_cut_off_on_purpose_is_refused(yard: Yard, tmp_path: Path, small: bytes) -> None:
    for left in range(1, len(chunks(small))):
        cut = summed(head_of(small) + b"".join(chunks(small)[:left]))
        assert f"chunk {left - 1} is not the one" in await refusal(yard, tmp_path, cut)


async def test_chunks_in_another_order_are_refused(yard: Yard, tmp_path: Path, small: bytes) -> None:
    first, second, *rest = chunks(small)
    assert "chunk 0 is not" in await refusal(yard, tmp_path, summed(b"".join([head_of(small), second, first, *rest])))


async def test_a_chunk_that_was_left_out_or_doubled_is_refused(yard: Yard, tmp_path: Path, small: bytes) -> None:
    first, second, *rest = chunks(small)
    assert "chunk 0 is not" in await refusal(yard, tmp_path, summed(b"".join([head_of(small), second, *rest])))
    twice = [head_of(small), first, first, second, *rest]
    assert "chunk 1 is not" in await refusal(yard, tmp_path, summed(b"".join(twice)))


async def test_bytes_behind_the_last_chunk_are_refused(yard: Yard, tmp_path: Path, small: bytes) -> None:
    for more in (b"\0", bytes(4), chunks(small)[-1]):
        number = len(chunks(small)) - 1
        assert f"chunk {number} is not" in await refusal(yard, tmp_path, summed(small[:-32] + more))


async def test_a_chunk_of_another_backup_is_refused(yard: Yard, tmp_path: Path, small: bytes) -> None:
    context = attrs.evolve(driver_context(yard.world.clock, seed=9))
    mover = StoreMover(ToyCipher(ToyOptions("root"), context), context, "test")
    await mover.backup(yard.source, tmp_path / "other")
    other = (tmp_path / "other").read_bytes()
    spliced = summed(b"".join([head_of(small), chunks(other)[0], *chunks(small)[1:]]))
    assert "chunk 0 is not" in await refusal(yard, tmp_path, spliced)


async def test_the_ring_of_another_day_is_refused(yard: Yard, tmp_path: Path, small: bytes) -> None:
    await freeze(yard)
    later = (await yard.backup(tmp_path / "later")).read_bytes()
    mixed = json.loads(head_of(small))
    mixed["ring"] = json.loads(head_of(later))["ring"]
    changed = summed(json.dumps(mixed).encode() + b"\n" + b"".join(chunks(small)))
    assert "chunk 0 is not" in await refusal(yard, tmp_path, changed)


async def test_no_flipped_bit_is_restored(yard: Yard, tmp_path: Path, small: bytes) -> None:
    starts = [len(head_of(small)) + sum(map(len, chunks(small)[:n])) for n in range(len(chunks(small)))]
    places = [0, 20, 40, 300, len(head_of(small)) - 1, *(start + n for start in starts for n in (0, 3, 4, 9, 30, 99))]
    for place in places:
        flipped = bytes([*small[:place], small[place] ^ 1, *small[place + 1 : -32]])
        assert await refusal(yard, tmp_path, summed(flipped))


async def test_a_flipped_bit_without_the_checksum_is_damage(yard: Yard, tmp_path: Path, small: bytes) -> None:
    for place in (300, len(small) // 2, len(small) - 1):
        flipped = bytes([*small[:place], small[place] ^ 1, *small[place + 1 :]])
        assert "is damaged" in await refusal(yard, tmp_path, flipped)


async def test_another_root_is_told_in_other_words_than_damage(yard: Yard, file: Path) -> None:
    with pytest.raises(KeyUnavailable, match="does not open with this root"):
        await yard.restore(file, root="another")
    assert await is_untouched(yard.target)


async def test_a_backup_is_not_restored_over_a_store(yard: Yard, file: Path) -> None:
    await yard.target.apply([Record(line(1))])
    with pytest.raises(StoreUnavailable, match="not empty"):
        await yard.restore(file)
    assert 1 == len(await audit(yard.target))


@pytest.mark.parametrize(
    ("whole", "says"),
    [
        (b"", "is no backup"),
        (b"SQLite format 3\0" * 99, "is no backup"),
        (b"{}\n", "is no backup"),
        (b"[]\n", "is no backup"),
        (b'{"format": 1}\n', "is no backup"),
        (b'{"format": "tigercore.keyring.1", "ring": {}}\n', "is no backup"),
        (b'{"format": "tigercore.backup.1"}\n', "is no backup"),
        (b'{"format": "tigercore.backup.1", "id": 1}\n', "is no backup"),
        (b'{"format": "tigercore.backup.2"}\n', "was written by a newer tigercore"),
        (b"\xff\xfe\n", "is no backup"),
        (b"[" * 100_000 + b"\n", "is no backup"),
        (b'{"format": "tigercore.backup.1", "id": "' + b"0" * 32 + b'"}\n', "is damaged"),
    ],
)
async def test_a_file_that_is_none_is_refused(yard: Yard, tmp_path: Path, whole: bytes, says: str) -> None:
    assert says in await refusal(yard, tmp_path, whole)


async def test_a_ring_that_cannot_be_one_is_refused(yard: Yard, tmp_path: Path) -> None:
    head = b'{"format": "tigercore.backup.1", "id": "' + b"0" * 32 + b'", "ring": []}\n'
    assert "not a key ring" in await refusal(yard, tmp_path, summed(head + bytes(9)))


async def test_what_a_newer_program_added_is_refused(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_archive._NAMES, AuditEntry, "novelty")
    file = await yard.backup(tmp_path / "tiger.backup")
    assert "use a newer one" in await refusal(yard, tmp_path, file.read_bytes())


async def test_a_count_that_does_not_fit_is_refused(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Inventory, "of", lambda entries: Inventory(accounts=1))
        whole = (await yard.backup(tmp_path / "tiger.backup")).read_bytes()
    assert "is not the one that was written" in await refusal(yard, tmp_path, whole)


async def test_a_directory_a_pipe_and_nothing_are_no_backups(yard: Yard, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "nothing"):
        with pytest.raises(BackupUnusable, match=str(place)):
            await yard.restore(place)
    assert await is_untouched(yard.target)
