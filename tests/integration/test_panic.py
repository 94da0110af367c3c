"""The emergency stop, rehearsed: other processes sign nothing within five seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.conftest import Opener
from tigercore.settings import DriverSettings

SIGNS = """
import sys, trio
from tigercore import SigningFrozen, open_tigercore

async def main():
    async with open_tigercore(sys.argv[1]) as tiger:
        account = (await tiger.accounts.list_accounts())[0]
        while True:
            try:
                tiger.accounts.signer(account)
            except SigningFrozen:
                return print("frozen", flush=True)
            print("signed", flush=True)
            await trio.sleep(0.05)

trio.run(main)
"""
MOST = 5.0  # seconds (reliability 1.7)


@pytest.fixture
def config(tmp_path: Path, kept_in: DriverSettings) -> Path:
    """Return the settings of the installation as a file."""
    store = "".join(f"{name} = {json.dumps(value)}\n" for name, value in kept_in.options.items())
    key = json.dumps(str(tmp_path / "root.key"))
    file = tmp_path / "tigercore.toml"
    file.write_text(
        f'[store]\ndriver = "{kept_in.driver}"\n[store.options]\n{store}'
        f'[cipher]\ndriver = "local"\noptions = {{ key_file = {key} }}\n'
    )
    return file


def another_root(config: Path) -> Path:
    file = config.with_name("new.toml")
    file.write_text(f"[cipher]\noptions = {{ key_file = {json.dumps(str(config.with_name('new.key')))} }}\n")
    return file


@pytest.mark.parametrize("moves", [False, True], ids=["freeze", "with a new root"])
async def test_panic_stops_the_signing_of_other_processes_in_time(
    opener: Opener, portal: list[Path], config: Path, moves: bool
) -> None:
    async with opener() as tiger:
        await tiger.accounts.create_account_from_properties(portal[0])
    words = [sys.executable, "-c", SIGNS, str(config)]
    others = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: ASYNC220
    try:
        assert ["signed\n"] * 2 == [str(each.stdout and each.stdout.readline()) for each in others]
        new = ["--to", str(another_root(config))] if moves else []
        panic = [sys.executable, "-m", "tigercore", "panic", "--yes", "--config", str(config), *new]
        with subprocess.Popen(panic, stdout=subprocess.PIPE, text=True, env={**os.environ}) as stopped:  # noqa: ASYNC220
            assert stopped.stdout is not None
            assert stopped.stdout.readline().startswith("Frozen:")
            began = time.monotonic()
            for each in others:
                each.wait(MOST)
            print(f"stopped within {time.monotonic() - began:.2f} s")
            assert time.monotonic() - began < MOST
            assert "--private-key-file" in stopped.stdout.read()
        assert ["frozen"] * 2 == [str(each.stdout and each.stdout.read()).split()[-1] for each in others]
    finally:
        for each in others:
            each.kill()
            each.communicate()
