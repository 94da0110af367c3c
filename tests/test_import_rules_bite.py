"""The seven import rules hold, and each is broken by a line that breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.floor

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "src", *sorted(ROOT.glob("plugins/*/src")), *sorted(ROOT.glob("contrib/*/src"))]

PLANTED = [
    ("1. Calls go down only", "tigercore/_snapshot.py", "from tigercore.router import AccountRouter"),
    ("2. The contract half does no I/O", "tigercore/ports/store.py", "import trio"),
    ("3. The core knows no driver's library", "tigercore/accounts.py", "import sqlalchemy"),
    ("4. Plugins use only what is public", "tigercore_sqlite/store.py", "from tigercore.router import AccountRouter"),
    ("5. Plugins do not import each other", "tigercore_balancers/_random.py", "import tigercore_sql"),
    ("6. Only accounts, keys, tokens", "tigercore/router.py", "from tigercore._vault import Vault"),
    ("7. Only _plugins knows stevedore", "tigercore/accounts.py", "import stevedore"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the rules over a copy of all sources."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / ".importlinter"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a copy of all sources that a test may spoil."""
    for source in SOURCES:
        shutil.copytree(source, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_seven_rules_hold(sources: Path) -> None:
    assert "Contracts: 7 kept, 0 broken." in lint(sources).stdout


@pytest.mark.parametrize(("rule", "file", "line"), PLANTED, ids=[f"{rule[:1]}-{file}" for rule, file, _ in PLANTED])
def test_a_line_that_breaks_a_rule_is_found(sources: Path, rule: str, file: str, line: str) -> None:
    planted = sources / file
    planted.write_text(f"{planted.read_text() if planted.exists() else ''}\n{line}\n")
    run = lint(sources)
    broken = [said for said in run.stdout.splitlines() if " BROKEN" in said]
    assert [rule] == [said[: len(rule)] for said in broken]


def test_a_module_that_no_layer_names_is_found(sources: Path) -> None:
    (sources / "tigercore" / "unheard_of.py").touch()
    assert "tigercore.unheard_of" in lint(sources).stdout
