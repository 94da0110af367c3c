"""Broken drivers must fail the laws that they break, and only those; every law is broken by at least one."""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent
SAMPLES = sorted(Path(__file__).parent.glob("laws/broken_*.py"))
PORTS = {"balancer", "cipher", "client", "store"}

pytestmark = pytest.mark.floor


def loaded(path: Path) -> ModuleType:
    """Import a file of samples under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"tests.laws.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def outcomes(path: Path, report: Path) -> dict[str, dict[str, bool]]:
    """Run the laws against the samples; return for each class and law whether the law held in all its cases."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", str(path), f"--junitxml={report}", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT, env=unmeasured, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert 1 == run.returncode, run.stdout[-2000:] + run.stderr[-2000:]
    held: dict[str, dict[str, bool]] = defaultdict(dict)
    for case in ElementTree.parse(report).iter("testcase"):
        sample, law = case.attrib["classname"].rpartition(".")[2], case.attrib["name"].partition("[")[0]
        failed = case.find("failure") is not None or case.find("error") is not None
        held[sample][law] = held[sample].get(law, True) and not failed
    return held


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_each_broken_driver_fails_the_laws_that_it_breaks_and_no_other(path: Path, tmp_path: Path) -> None:
    samples = {name: value for name, value in vars(loaded(path)).items() if "breaks" in vars_of(value)}
    held = outcomes(path, tmp_path / "report.xml")
    expected = {name: set(sample.breaks) for name, sample in samples.items()}
    assert expected == {name: {law for law, kept in held[name].items() if not kept} for name in samples}


@pytest.mark.parametrize("port", sorted(PORTS))
def test_every_law_is_broken_by_a_sample(port: str) -> None:
    modules = [loaded(path) for path in SAMPLES if port_of(path) == port]
    samples = [value for module in modules for value in vars(module).values() if "breaks" in vars_of(value)]
    laws = {name for sample in samples for name, _ in inspect.getmembers(sample) if name.startswith("test_")}
    assert set() == laws - {law for sample in samples for law in sample.breaks}


def test_every_port_has_its_broken_drivers() -> None:
    assert PORTS == {port_of(path) for path in SAMPLES}


def port_of(path: Path) -> str:
    """Return the port of a file of samples, which is the first word after `broken_`."""
    return path.stem.split("_")[1]


def vars_of(value: object) -> dict[str, object]:
    """Return what a class itself says, nothing for anything else."""
    return dict(vars(value)) if isinstance(value, type) else {}
