"""A stranger's store, in a distribution of its own: it keeps the laws outside our repository, and is chosen by name."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.floor

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = ROOT / "contrib" / "template-store"
OURS = ["tigercore-sql", "tigercore-sqlite", "tigercore-envelope", "tigercore-cipher-local"]
OURS += ["tigercore-client-httpx", "tigercore-balancers"]

CREATE = """
import trio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tigercore import open_tigercore
from tigercore.settings import load_settings

async def main():
    key = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    async with open_tigercore(load_settings()) as tiger:
        await tiger.accounts.create_account(account_name="mine", account_number="12345678", tiger_id="20150001",
                                            private_key=key)

trio.run(main)
"""
READ = """
import trio
from tigercore import open_tigercore
from tigercore.settings import load_settings

async def main():
    async with open_tigercore(load_settings()) as tiger:
        (account,) = await tiger.accounts.list_accounts()
        credentials = await tiger.accounts.decrypt_credentials(account)
        print(account.account_name, credentials.tiger_id.reveal())

trio.run(main)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a fresh environment with tigercore, its default drivers and the template."""
    uv = shutil.which("uv")
    assert uv is not None, "these tests install packages with uv: pip install uv"
    place = tmp_path_factory.mktemp("fresh")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    python = place / "venv" / "bin" / "python"
    parts = [f"{ROOT}[cli,testing]", *(ROOT / "plugins" / name for name in OURS), TEMPLATE]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *parts], check=True)
    return python


@pytest.fixture
def run(fresh: Path, tmp_path: Path) -> Run:
    """Return what runs Python in a folder whose settings name the store, and that knows nothing else of ours."""
    tmp_path.joinpath("tigercore.toml").write_text('[store]\ndriver = "json_file"\n')
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environ["ENCRYPTION_MASTER_KEY"] = base64.b64encode(os.urandom(32)).decode()

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([fresh, *args], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    return run


def test_its_own_tests_pass_outside_our_repository(run: Run, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    ran = run("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "tests")
    assert 0 == ran.returncode, ran.stdout


def test_the_store_is_chosen_by_its_name_and_keeps_an_account(run: Run) -> None:
    ran = [run("-m", "tigercore", "db", "migrate"), run("-c", CREATE), run("-c", READ)]
    assert "mine 20150001\n" == ran[-1].stdout, [each.stderr for each in ran]


def test_a_store_that_is_not_there_is_told_with_the_command_that_makes_it(run: Run, tmp_path: Path) -> None:
    last = run("-c", READ).stderr.splitlines()[-1]
    told = f"there is no {tmp_path}/tigercore.json: run: tigercore db migrate"
    assert f"tigercore.errors.StoreUnavailable: {told}" == last.strip()
