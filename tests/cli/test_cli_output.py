from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore import MarketPermission, RefreshResult, Secret
from tigercore.cli._common import Common
from tigercore.cli._output import as_json, progress, show_rows

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_is_written_as_json_is_read_back(value: Any) -> None:
    assert value == json.loads(as_json(value))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_loses_nothing(value: Decimal) -> None:
    text = as_json({"price": value})
    assert value == json.loads(text, parse_float=Decimal, parse_int=Decimal)["price"]


def test_a_decimal_keeps_its_zeros() -> None:
    assert "0.10" == as_json(Decimal("0.10"))


def test_words_sets_and_times_are_written_as_text() -> None:
    found = json.loads(as_json({"at": datetime(2026, 1, 2, tzinfo=UTC), "in": frozenset(MarketPermission)}))
    assert "2026-01-02T00:00:00+00:00" == found["at"]
    assert sorted(MarketPermission) == found["in"]


def test_a_secret_has_no_form() -> None:
    with pytest.raises(TypeError):
        as_json({"token": Secret("hush")})


def test_json_lies_open_as_people_indent_it() -> None:
    assert '{\n  "a": [\n    1,\n    {}\n  ]\n}' == as_json({"a": [1, {}]})


def test_a_table_that_is_not_for_a_terminal_is_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(Common(), [], [{"name": "股票", "on": True}, {"name": "ab", "on": False}], nothing="")
    assert "NAME  ON\n股票  yes\nab    no\n" == capsys.readouterr().out


def test_a_cell_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(Common(), [], [{"name": "a\x1b[2J"}], nothing="")
    assert "\x1b" not in capsys.readouterr().out


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(100, "working") as step:
        step()
    assert ("", "") == capsys.readouterr()


def test_a_result_is_written_as_a_list() -> None:
    assert [True, None] == json.loads(as_json(RefreshResult(True)))
