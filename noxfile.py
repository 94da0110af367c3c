"""`nox` runs what CI runs: lint, types, import rules, and all tests on the oldest and the newest interpreter found."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True

FLOOR = "3.11"
NEWER = ["3.12", "3.13"]
BACKENDS = ["memory", "sqlite", "postgres"]
ALLOW = "--allow-missing-backends"
NONE_SELECTED = 5  # pytest's status when a choice of tests leaves a backend with none
SOURCES = ["src", *map(str, sorted(Path().glob("plugins/*/src"))), *map(str, sorted(Path().glob("contrib/*/src")))]

measured: set[str] = set()  # backends whose tests passed on the floor in this run of nox


def interpreters() -> list[str]:
    """Name the floor and every newer interpreter that is found; versions kept by pyenv count as found."""
    kept = Path.home().joinpath(".pyenv", "versions")
    found = [str(path) for path in sorted(kept.glob("3.1[123]*/bin"))] if kept.is_dir() else []
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *found])
    return [FLOOR, *(version for version in NEWER if shutil.which(f"python{version}"))]


INTERPRETERS = interpreters()
ENDS = sorted({INTERPRETERS[0], INTERPRETERS[-1]})  # by themselves; `nox -s tests` takes all
nox.options.sessions = ["lint", "types", "imports", *(f"tests-{end}" for end in ENDS)]  # they hold contracts and docs


def sync(session: nox.Session, *groups: str) -> None:
    """Install every distribution of the workspace and these groups, exactly as `uv.lock` says."""
    chosen = [part for group in groups for part in ("--group", group)]
    session.run_install(
        "uv", "sync", "--locked", "--quiet", "--all-packages", "--all-extras", "--no-default-groups", *chosen,
        f"--python={session.virtualenv.location}",
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
    )  # fmt: skip


@nox.session(python=FLOOR)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    sync(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=FLOOR)
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    sync(session, "types", "test", "sdk", "servers", "vectors")
    session.run("mypy", *SOURCES, "tests/typing", "noxfile.py")


@nox.session(python=FLOOR)
def imports(session: nox.Session) -> None:
    """Check that calls go down only, and that plugins use only what is public."""
    sync(session, "lint")
    session.run("lint-imports", "--no-cache")


@nox.session(python=INTERPRETERS)
@nox.parametrize("backend", BACKENDS)
def tests(session: nox.Session, backend: str) -> None:
    """Run the tests of a backend (`memory`: those that need none); on the floor, with branch coverage of the core.

    A server that is missing fails its tests, unless `nox -s tests -- --allow-missing-backends` skips them.
    """
    sync(session, "test", "sdk", "lint", "servers", "vectors")
    chosen, env = posargs(session)
    command = ["pytest", "-m", marks(session, backend), *(chosen or ["-n", "2", "--dist", "loadgroup"])]
    if chosen:
        session.run(*command, env=env, success_codes=[0, NONE_SELECTED])
    elif session.python != FLOOR:
        session.run(*command, env=env)
    else:
        measure(session, backend, command, env)


def posargs(session: nox.Session) -> tuple[list[str], dict[str, str]]:
    """Return what `pytest` is told, and the environment that a word of ours stands for."""
    chosen = [word for word in session.posargs if word != ALLOW]
    return chosen, {"TIGERCORE_ALLOW_MISSING_BACKENDS": "1"} if ALLOW in session.posargs else {}


def marks(session: nox.Session, backend: str) -> str:
    """Return pytest's expression for the tests of a backend; those that take long run on the floor alone."""
    named = [name for name in BACKENDS if name != "memory"]
    own = backend if backend in named else " and ".join(f"not {name}" for name in named)
    return own if session.python == FLOOR else f"{own} and not floor"


def measure(session: nox.Session, backend: str, command: list[str], env: dict[str, str]) -> None:
    """Run with coverage, and judge it once this run of nox has measured every backend."""
    here = Path().absolute()  # workers and commands under test measure too, whatever folder they run in
    files = {"COVERAGE_PROCESS_START": str(here / "pyproject.toml"), "COVERAGE_FILE": str(here / ".coverage")}
    if not measured:
        session.run("coverage", "erase")
    session.run("coverage", "run", "-m", *command, env=env | files)
    measured.add(backend)
    if measured != set(BACKENDS):
        session.log("coverage is judged when one run of nox has measured %s", ", ".join(BACKENDS))
        return
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=FLOOR)
def contracts(session: nox.Session) -> None:
    """Prove one installed plugin alone, as its author would: `nox -s contracts -- plugins/tigercore-sqlite`."""
    sync(session, "test", "sdk", "servers", "vectors")
    session.run("pytest", "-k", "contract or laws or keeps", *(session.posargs or ["plugins", "contrib", "tests"]))


@nox.session(python=FLOOR)
def docs(session: nox.Session) -> None:
    """Check that no link of the docs is dead and that every code block runs."""
    sync(session, "test", "sdk")
    session.run("pytest", "tests/docs")


@nox.session(python=FLOOR, default=False)
def bench(session: nox.Session) -> None:
    """Measure, as ratios within one run: `nox -s bench -- --quick` takes some minutes."""
    sync(session, "sdk", "servers")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(python=FLOOR, default=False)
def torture(session: nox.Session) -> None:
    """Kill what writes, for an hour and at every system call: `nox -s torture -- 60` takes a minute for each storm."""
    sync(session, "test", "servers")
    seconds = {"TIGERCORE_TORTURE_SECONDS": session.posargs[0] if session.posargs else "3600"}
    session.run("pytest", "tests/torture", "-s", "--durations=0", env=seconds)
