"""A stranger's strategy, in a distribution of its own, is installed into a fresh environment and chosen by name."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.floor

ROOT = Path(__file__).parent.parent.parent
OURS = ["tigercore-sql", "tigercore-sqlite", "tigercore-envelope", "tigercore-cipher-local"]
OURS += ["tigercore-client-httpx", "tigercore-balancers"]

PROGRAM = """
import trio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tigercore import OperationType, Settings, open_tigercore
from tigercore.settings import load_settings

async def main():
    key = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    async with open_tigercore(load_settings()) as tiger:
        for number in ("12345678", "87654321"):
            await tiger.accounts.create_account(account_name=number, account_number=number, tiger_id="20150001",
                                                private_key=key)
        named = tiger.router.pick(OperationType.QUOTE, strategy="stalest").account_number
        print(tiger.settings.router.strategy, named in ("12345678", "87654321"))

trio.run(main)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a fresh environment with tigercore, its default drivers and the template."""
    uv = shutil.which("uv")
    assert uv is not None, "these tests install packages with uv: pip install uv"
    place = tmp_path_factory.mktemp("fresh")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    python = place / "venv" / "bin" / "python"
    parts = [ROOT, *(ROOT / "plugins" / name for name in OURS), ROOT / "contrib" / "template-balancer"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *parts], check=True)
    return python


def run(python: Path, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program in an environment that knows nothing of ours."""
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATABASE_URL": "sqlite://", **environ}
    key = {"ENCRYPTION_MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}
    return subprocess.run(
        [python, "-c", PROGRAM], cwd=folder, env={**base, **key}, capture_output=True, text=True, check=False
    )


def test_the_strategy_is_chosen_by_its_name(fresh: Path, tmp_path: Path) -> None:
    ran = run(fresh, tmp_path, TIGERCORE_ROUTER__STRATEGY="stalest")
    assert (0, "stalest True\n") == (ran.returncode, ran.stdout), ran.stderr


def test_a_strategy_that_the_settings_do_not_name_is_not_loaded(fresh: Path, tmp_path: Path) -> None:
    ran = run(fresh, tmp_path)
    assert "no strategy 'stalest' is loaded" in ran.stderr


def test_the_template_is_about_two_dozen_lines() -> None:
    source = ROOT / "contrib" / "template-balancer" / "src" / "tigercore_template_balancer" / "__init__.py"
    assert 26 >= len(source.read_text().splitlines())
