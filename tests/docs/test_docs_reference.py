"""The reference pages name all there is: settings, options, hooks, errors, classes; the tests they name are there."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.docs.pages import ROOT, blocks
from tigercore import OperationClass, Settings, errors, hookspecs
from tigercore._failover import may_try_again
from tigercore._plugins import GROUPS, entry_points
from tigercore._selection import moves
from tigercore.errors import NotProcessed, OutcomeUnknown, RateLimited, Rejected, TokenManagerError, Unauthorized

SETTINGS, HOOKS, ERRORS, CONCEPTS, GUARANTEES = (
    ROOT.joinpath("docs", f"{name}.md").read_text("utf-8")
    for name in ("settings", "hooks", "errors", "concepts", "GUARANTEES")
)
_CALL = ("place_order", "a detail")


def rows(text: str, first: str) -> list[list[str]]:
    """Return the cells of the rows of all tables that begin with a cell like this."""
    lines = (line for line in text.splitlines() if re.match(rf"\| {first} \|", line))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


# -- settings ----------------------------------------------------------------------------------------------------


def named_settings() -> list[Any]:
    return [pytest.param(path, default, id=".".join(path)) for path, default in settings_of(Settings())]


def settings_of(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for field in attrs.fields(type(value)):
        held = getattr(value, field.name)
        inner = (*path, field.name)
        yield from settings_of(held, inner) if attrs.has(type(held)) else [(inner, held)]


def default_of(value: Any) -> str:
    """Return how the pages write a default; nothing to be checked for a table or a list."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case int() | float():
            return f"`{value}`"
        case None:
            return "none"
        case _:
            return ""


@pytest.mark.parametrize(("path", "default"), named_settings())
def test_every_setting_is_named_with_its_default_and_variable(path: tuple[str, ...], default: Any) -> None:
    [[_, told, variable, meaning]] = rows(SETTINGS, f"`{'.'.join(path)}`")
    assert default_of(default) in (told, "")
    assert len(path) == 1 or f"TIGERCORE_{'__'.join(path).upper()}" in variable
    assert meaning


def options_of_drivers() -> Iterator[Any]:
    for group in GROUPS.values():
        for entry in entry_points(group):
            if entry.dist is not None and not entry.dist.name.startswith("tigercore-template-"):
                yield pytest.param(entry.name, entry.load().Options, id=f"{group}:{entry.name}")


@pytest.mark.parametrize(("name", "options"), list(options_of_drivers()))
def test_every_option_of_a_driver_is_named_with_its_default(name: str, options: type) -> None:
    (section,) = (part for part in re.split(r"^###? ", SETTINGS, flags=re.MULTILINE) if f"`{name}`" in _first(part))
    told = {option: default for option, default, _ in rows(section, r"`\w+`")}
    assert {field.name for field in attrs.fields(options)} == {option.strip("`") for option in told}
    assert [] == [f.name for f in attrs.fields(options) if default_of(f.default) not in (told[f"`{f.name}`"], "")]


def _first(text: str) -> str:
    return text.splitlines()[0] if text else ""


# -- hooks -------------------------------------------------------------------------------------------------------


def hooks() -> Iterator[Any]:
    tree = ast.parse(inspect.getsource(hookspecs))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("tigercore_"):
            assert node.returns is not None
            told = f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"
            yield pytest.param(node.name, told, id=node.name)


@pytest.mark.parametrize(("name", "signature"), list(hooks()))
def test_every_hook_is_documented_with_its_signature(name: str, signature: str) -> None:
    assert f"### {name}\n" in HOOKS
    told = [ast.unparse(ast.parse(block.text)) for block in blocks(HOOKS) if block.language == "python"]
    assert 1 == sum(text.startswith(f"{signature}:") for text in told)


# -- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_stands_in_the_tree_below_its_parent(name: str) -> None:
    lines = next(block.text for block in blocks(ERRORS) if block.language == "text").splitlines()
    depths = [(len(re.match(r"[│├└─ ]*", line)[0]) // 4, re.findall(r"\w+", line)[0]) for line in lines]  # type: ignore[index]
    at = next(number for number, (_, each) in enumerate(depths) if each == name)
    parent = next((each for depth, each in reversed(depths[:at]) if depth == depths[at][0] - 1), "Exception")
    assert parent in {base.__name__ for base in getattr(errors, name).__bases__}


@pytest.mark.parametrize("safety", OperationClass)
def test_the_table_of_classes_is_what_the_router_does(safety: OperationClass) -> None:
    [[_, _, another, again, unknown]] = rows(CONCEPTS, f"`{safety}`")
    yes = {True: "yes", False: "no"}
    assert (yes[moves(safety)], yes[safety.read_only]) == (another, again)
    assert ("tried again" if safety.read_only else "raised") == unknown


@pytest.mark.parametrize(
    "error",
    [
        NotProcessed(*_CALL),
        RateLimited(*_CALL, retry_after=1.0),
        Unauthorized(*_CALL),
        TokenManagerError("dead"),
        Rejected(*_CALL),
        OutcomeUnknown(*_CALL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_failover_table_is_what_the_router_does(error: errors.TigerCoreError) -> None:
    [[_, _, *told]] = rows(CONCEPTS, f"`{type(error).__name__}`")
    classes = [
        OperationClass.MARKET_DATA,
        OperationClass.ACCOUNT_READ,
        OperationClass.CREATE,
        OperationClass.MONEY,
    ]
    for cell, safety in zip(told, classes, strict=True):
        goes_on = may_try_again(error, safety) and (moves(safety) or safety.read_only)
        spent = isinstance(error, RateLimited) and not moves(safety)  # the same account would be refused again
        assert (goes_on and not spent) == (cell in ("next account", "again")), (safety, cell)


# -- guarantees --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", re.findall(r"`([\w/.-]+\.py::[\w:]+)`", GUARANTEES), ids=str)
def test_every_guarantee_names_a_test_that_is_there(test: str) -> None:
    file, *classes, law = test.split("::")
    text = ROOT.joinpath(file).read_text("utf-8")
    suites = [path.read_text("utf-8") for path in ROOT.glob("src/tigercore/testing/*.py")] if classes else []
    assert all(f"class {each}(" in text for each in classes)
    assert any(f"def {law}(" in source for source in [text, *suites])


def test_every_guarantee_has_a_test() -> None:
    promises = GUARANTEES.partition("## What is not promised")[0]
    told = [row for row in rows(promises, r"[A-Z].*") if len(row) == 2]
    assert len(told) > 40
    assert [] == [promise for promise, test in told if "::test_" not in test]
