"""A store on a disk that is full: `python -m tests.torture.full_disk FOLDER SECONDS SEED [BUG]`.

Accounts are made until the disk is full. Every write then says so in one line, reads go on, and nothing is there in
part. When there is space again, the same program writes on. Rounds are repeated until SECONDS are over.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import final

import attrs

from tests.torture import bugs
from tests.torture.disks import SIZE, Disk, disk
from tests.torture.installation import given, integrity, opened, prepare, unopened
from tests.torture.ledger import violate, violations
from tests.torture.zygote import ended, fork
from tigercore import Tigercore
from tigercore.errors import StoreUnavailable, TigerCoreError
from tigercore.model import Secret

MOST = 1000  # accounts: more than there is space for
PATIENCE = 120.0


@final
@attrs.define
class Round:
    """Fill a new store, from a seed, until it is full; free space, and go on."""

    home: Path
    disk: Disk
    rng: random.Random
    secrets: dict[str, str] = attrs.field(factory=dict)
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(10_000_000))

    async def __call__(self) -> None:
        await prepare(self.disk.folder, [])
        async with opened(self.disk.folder) as tiger:
            await self._fill(tiger)
            await self._be_full(tiger)
            self.disk.free()
            await self._go_on(tiger)
        async with opened(self.disk.folder) as tiger:
            await self._compare(tiger, "a new program")
        if (verdict := integrity(self.disk.folder)) != "ok":
            self._violate(f"integrity_check: {verdict}")
        print(f"  it was full after {len(self.secrets) - 1} accounts", flush=True)

    async def _fill(self, tiger: Tigercore) -> None:
        await self._create(tiger)
        await self._create(tiger)
        self.disk.fill(self.rng.randrange(SIZE))
        while len(self.secrets) < MOST and not await self._is_refused(tiger, self._create):
            pass

    async def _be_full(self, tiger: Tigercore) -> None:
        """Try every kind of write, and read."""
        for write in (self._create, self._update, self._delete, self._look_at_secrets, self._create):
            await self._is_refused(tiger, write)
            await self._compare(tiger, "on the full disk")
        async with opened(self.disk.folder) as other:
            await self._compare(other, "a new program, on the full disk")

    async def _go_on(self, tiger: Tigercore) -> None:
        for write in (self._create, self._update, self._delete, self._look_at_secrets):
            try:
                await write(tiger)
            except TigerCoreError as error:
                self._violate(f"with space again: {error}")
            await self._compare(tiger, "with space again")

    async def _is_refused(self, tiger: Tigercore, write: Callable[[Tigercore], Awaitable[None]]) -> bool:
        try:
            await write(tiger)
        except StoreUnavailable as error:
            if "the disk is full" not in str(error) or "\n" in str(error):
                self._violate(f"a full disk says: {error}")
            return True
        return False

    async def _create(self, tiger: Tigercore) -> None:
        number = str(next(self.numbers))
        secret = self.rng.randbytes(self.rng.randrange(10, 2000)).hex()
        await tiger.accounts.create_account(**given(number), secret_key=secret)
        self.secrets[number] = secret

    async def _update(self, tiger: Tigercore) -> None:
        number, secret = self.rng.choice(list(self.secrets)), self.rng.randbytes(1000).hex()
        await tiger.accounts.update_account(tiger.accounts.find(number).id, {"secret_key": secret})
        self.secrets[number] = secret

    async def _delete(self, tiger: Tigercore) -> None:
        number = self.rng.choice(list(self.secrets))
        await tiger.accounts.delete_account(tiger.accounts.find(number).id)
        del self.secrets[number]

    async def _look_at_secrets(self, tiger: Tigercore) -> None:
        await tiger.accounts.decrypt_credentials(tiger.accounts.find(self.rng.choice(list(self.secrets))))

    async def _compare(self, tiger: Tigercore, when: str) -> None:
        """Read the store itself, then what is in memory: exactly what was acknowledged is there, and it opens."""
        store, vault = tiger.accounts._snapshot._store, tiger.accounts._vault
        rows, tokens = await store.accounts(), await store.token_rows()
        found = {row.account.account_number: _revealed(vault.open(row).secret_key) for row in rows}
        if found != self.secrets:
            self._violate(f"{when}: {found.keys() ^ self.secrets.keys()} or a secret is not as acknowledged")
        if {row.id for row in rows} != {row.id for row in tokens}:
            self._violate(f"{when}: accounts and token rows differ")
        for fault in unopened(tiger):
            self._violate(f"{when}: {fault}")

    def _violate(self, what: str) -> None:
        violate(self.home, what)


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def main(home: Path, seconds: float, seed: int, bug: str) -> int:
    disk_of_ours, rng, began, rounds = disk(home), random.Random(seed), time.monotonic(), 0
    print(f"full disk: seed {seed}, {seconds:g} s, planted bug: {bug or 'none'}", flush=True)
    bugs.plant(bug)
    while not violations(home) and (not rounds or time.monotonic() < began + seconds):
        if ended(fork(home, Round(home, disk_of_ours, random.Random(rng.getrandbits(32)))), PATIENCE) != 0:
            violate(home, "a round did not end well")
        for file in disk_of_ours.folder.iterdir():
            file.unlink()
        rounds += 1
    broken = violations(home)
    print(f"  {time.monotonic() - began:.1f} s; {rounds} rounds; {len(broken)} violations; seed {seed}")
    print("\n".join(broken[:20]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), (*sys.argv[4:], "")[0]))
