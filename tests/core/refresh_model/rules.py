"""The production rules of a token's life, on the rows of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import attrs

from tests.core.refresh_model.world import Puts, Row
from tigercore import _refresh as rules
from tigercore._refresh import Step
from tigercore.model import Secret, Token, TokenState
from tigercore.ports import TokenRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(minutes=1)

Family = tuple[Row, ...]


class Rules:
    """Ask `tigercore._refresh`, once for each question; made anew for each run, so that a mutation of it shows."""

    def __init__(self) -> None:
        self.next_step = cache(self._next_step)
        self.leased = cache(self._leased)
        self.released = cache(self._released)
        self.in_doubt = cache(self._in_doubt)
        self.dead = cache(self._dead)
        self.takes = cache(self._takes)
        self.renewed = cache(self._renewed)
        self.newest = cache(self._newest)
        self.is_due = cache(self._is_due)

    def _next_step(self, family: Family, claimed_by: int | None) -> Step:
        return rules.next_step(_real(family), NOW, None if claimed_by is None else str(claimed_by))

    def _leased(self, family: Family, owner: int, lease: int) -> Puts:
        return _model(rules.leased(_real(family), str(owner), NOW + TICK * lease), family)

    def _released(self, family: Family, places: tuple[int, ...], state: TokenState) -> Puts:
        return _model(rules.failed(_picked(family, places), state, NOW), family)

    def _in_doubt(self, family: Family, places: tuple[int, ...], settle: int) -> Puts:
        return _model(rules.in_doubt(_picked(family, places), NOW, TICK * settle), family)

    def _dead(self, family: Family, places: tuple[int, ...]) -> Puts:
        return _model(rules.dead(_picked(family, places)), family)

    def _takes(self, family: Family, gen: int) -> tuple[int, ...]:
        return tuple(place for place, row in enumerate(_real(family)) if rules.takes(row, _token(gen)))

    def _renewed(self, family: Family, places: tuple[int, ...], gen: int) -> Puts:
        due = {rules.leader(_real(family)): NOW}
        return _model([_with(row, gen, due.get(row.id)) for row in _picked(family, places)], family)

    def _newest(self, family: Family) -> int:
        newest = rules.newest(_real(family))
        assert newest is not None
        return _gen(newest)

    def _is_due(self, family: Family) -> bool:
        return rules.is_due(_real(family)[0], NOW)


def _with(row: TokenRow, gen: int, due: datetime | None) -> TokenRow:
    return rules.renewed(attrs.evolve(row, sealed=b"token"), _token(gen), due, NOW)


def _token(gen: int) -> Token:
    return Token(Secret(f"token {gen}"), NOW + TICK * gen, None)


def _picked(family: Family, places: tuple[int, ...]) -> list[TokenRow]:
    real = _real(family)
    return [real[place] for place in places]


@cache
def _real(family: Family) -> list[TokenRow]:
    return [_real_row(place, row) for place, row in enumerate(family)]


def _real_row(place: int, row: Row) -> TokenRow:
    moment: Callable[[int | None], datetime | None] = lambda ticks: None if ticks is None else NOW + TICK * ticks  # noqa: E731
    return TokenRow(
        UUID(int=place),
        row.state,
        sealed=b"token",
        issued_at=moment(row.gen),
        next_at=moment(row.next_at),
        owner=None if row.owner is None else str(row.owner),
        lease_until=moment(row.lease),
        version=row.current,
    )


def _model(rows: Sequence[TokenRow], family: Family) -> Puts:
    return tuple((row.id.int, _model_row(row, family[row.id.int].current)) for row in rows)


def _model_row(row: TokenRow, current: int) -> Row:
    owner = None if row.owner is None else int(row.owner)
    return Row(row.state, _gen(row), _ticks(row.next_at), owner, _ticks(row.lease_until), current)


def _gen(row: TokenRow) -> int:
    return _ticks(row.issued_at) or 0


def _ticks(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - NOW) // TICK
