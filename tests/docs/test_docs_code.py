"""Every block of the documents does what it says: Python and shell run, settings load, the examples end well.

The blocks of one page are run in their order. Python shares one namespace, in a folder with an installation and with
a folder `portal`; the shell has another such folder, in which nothing is installed yet. Blocks under `<!-- not run -->`
are only compiled.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, Block, blocks, name_of, pages_with_code
from tigercore import load_settings

pytestmark = pytest.mark.floor

pytest.importorskip("tigercore_simulator")

_PYTHON, _SHELL = 1, 4  # the developers whose files lie in `portal`: two of those with a token
_OURS = ("TIGER", "ENCRYPTION_MASTER_KEY", "DATABASE_URL")


def pages_that_run(language: str) -> list[Path]:
    return [page for page in pages_with_code() if any(b.language == language and b.runs for b in blocks_of(page))]


def blocks_of(page: Path) -> list[Block]:
    return list(blocks(page.read_text("utf-8")))


def every_block(language: str) -> list[Any]:
    """Return the blocks of a language as parameters, each named by its page and line."""
    found = [(page, block) for page in pages_with_code() for block in blocks_of(page) if block.language == language]
    return [pytest.param(block, id=f"{name_of(page)}:{block.line}") for page, block in found]


@pytest.fixture
def developers(tmp_path: Path) -> Iterator[list[Path]]:
    """Run a gateway, and return the folders that the developer portal would have written."""
    command = [sys.executable, "-m", "tigercore_simulator", "--developers", "5", "--out", str(tmp_path / "sim")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        yield [Path(each["directory"]) for each in json.loads(gateway.stdout.readline())["developers"]]
        gateway.terminate()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a stranger: a home of its own, and nothing that is meant for tigercore."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    kept.pop("XDG_CONFIG_HOME", None)
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder of its own."""
    place = tmp_path / "work"
    place.mkdir()
    return place


@pytest.mark.parametrize("page", pages_that_run("python"), ids=name_of)
def test_the_python_of_a_page_runs(
    page: Path, developers: list[Path], environ: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(developers[_PYTHON], folder / "portal")
    run([sys.executable, "-m", "tigercore", "init", "--no-recovery"], folder, environ)
    monkeypatch.chdir(folder)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(page):
        if block.language == "python" and block.runs:
            exec(compiled(block, name_of(page)), namespace)


@pytest.mark.parametrize("page", pages_that_run("sh"), ids=name_of)
def test_the_shell_of_a_page_runs(page: Path, developers: list[Path], environ: dict[str, str], folder: Path) -> None:
    shutil.copytree(developers[_SHELL], folder / "portal")
    for block in blocks_of(page):
        if block.language == "sh" and block.runs:
            run(["sh", "-eu", "-c", block.text], folder, environ)


@pytest.mark.parametrize("block", every_block("python"))
def test_python_compiles(block: Block) -> None:
    compiled(block, "page")


@pytest.mark.parametrize("block", every_block("toml"))
def test_settings_load(block: Block, tmp_path: Path) -> None:
    tomllib.loads(block.text)
    if block.runs:
        file = tmp_path / "tigercore.toml"
        file.write_text(block.text)
        load_settings(file, environ={})


@pytest.mark.parametrize("example", sorted(ROOT.glob("docs/examples/*.py")), ids=name_of)
def test_an_example_ends_well(example: Path, environ: dict[str, str], folder: Path) -> None:
    assert run([sys.executable, "-W", "error", str(example)], folder, environ)


def test_a_block_that_fails_is_found(folder: Path, environ: dict[str, str]) -> None:
    (good, bad) = blocks("```sh\ntrue\n```\n\n```sh\nfalse\ntrue\n```\n")
    run(["sh", "-eu", "-c", good.text], folder, environ)
    with pytest.raises(pytest.fail.Exception):
        run(["sh", "-eu", "-c", bad.text], folder, environ)


def test_a_block_that_is_not_run_is_known() -> None:
    assert [False, True] == [b.runs for b in blocks("<!-- not run -->\n```sh\nx\n```\n\n```python\ny\n```\n")]


def compiled(block: Block, name: str) -> Any:
    """Compile a block so that a fault names the line of its page."""
    return compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)


def run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Run a command and return what it printed; fail with what it said if it fails."""
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.fail(f"{command} ended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout
