"""Paths that lead to no file of a key, and cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tigercore.errors import KeyUnavailable
from tigercore_envelope import create_private, read_private


def test_a_file_in_the_place_of_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    with pytest.raises(KeyUnavailable, match="a part of the path is a file and not a directory"):
        read_private(str(tmp_path / "file" / "deeper"), 4096)


@pytest.mark.parametrize("name", ["x" * 256, "x/" * 3000])
def test_a_path_that_is_too_long_is_told_and_not_shown_whole(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyUnavailable, match=r"no name may be so long: name a shorter path$") as caught:
        read_private(f"{tmp_path}/{name}", 4096)
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize("deed", [lambda path: read_private(path, 4096), lambda path: create_private(path, b"a key")])
def test_a_path_that_cannot_be_one_is_told_in_plain_text(deed: Callable[[str], Any]) -> None:
    with pytest.raises(KeyUnavailable, match="no path can hold these characters: write it anew") as caught:
        deed("key\ud800")
    assert "key\\ud800" == str(caught.value).partition(":")[0]
