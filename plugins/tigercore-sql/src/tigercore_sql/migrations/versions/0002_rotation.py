"""What rotating keys needs. A migration is history: it names its values and imports nothing of tigercore.

A ring of revision 0001 carries no MAC and must not be taken for one that does, and what its keys sealed names another
place: so this moves empty stores only, both ways.

Revision ID: 0002
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations
from alembic.util import CommandError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OLD_WORDS = "'ACTIVE', 'INACTIVE', 'SUSPENDED', 'PENDING_VERIFICATION'"
_NEW_WORDS = f"{_OLD_WORDS}, 'COMPROMISED'"


def upgrade() -> None:
    """Tell with which key each row was sealed; give the ring a floor and a MAC, and each key its slots."""
    _require_empty(
        "this store was made by a build from before the first release: export its accounts with that build "
        "(tigercore account export), run tigercore init anew, and import them"
    )
    with _rebuilt("tc_account", sqlite_autoincrement=True) as account:
        account.add_column(sa.Column("kek", sa.BigInteger, nullable=False))
        _replace_status(account, _NEW_WORDS)
    with _rebuilt("tc_token") as token:
        token.add_column(sa.Column("kek", sa.BigInteger, nullable=False))
    for table in ("tc_account", "tc_token"):
        op.create_index(f"{table}_kek", table, ["kek"])
    with _rebuilt("tc_key_ring") as ring:
        for column in _ring_columns():
            ring.add_column(column)
    with _rebuilt("tc_kek") as kek:
        kek.drop_column("provider")
        kek.drop_column("blob")
        kek.add_column(sa.Column("created_at", sa.BigInteger))
    _kek_slot()


def downgrade() -> None:
    """Take it all back."""
    _require_empty(
        "what this store keeps cannot be read by a build from before the first release: name an empty store, or keep "
        "this revision"
    )
    op.drop_table("tc_kek_slot")
    with _rebuilt("tc_kek") as kek:
        kek.drop_column("created_at")
        kek.add_column(sa.Column("provider", sa.Text, nullable=False))
        kek.add_column(sa.Column("blob", sa.LargeBinary, nullable=False))
    with _rebuilt("tc_key_ring") as ring:
        for column in _ring_columns():
            ring.drop_column(column.name)
    for table in ("tc_account", "tc_token"):
        op.drop_index(f"{table}_kek", table)
    with _rebuilt("tc_token") as token:
        token.drop_column("kek")
    with _rebuilt("tc_account", sqlite_autoincrement=True) as account:
        account.drop_column("kek")
        _replace_status(account, _OLD_WORDS)


def _require_empty(refusal: str) -> None:
    for table in ("tc_key_ring", "tc_account"):
        if op.get_bind().scalar(sa.text(f"SELECT count(*) FROM {table}")):  # noqa: S608
            raise CommandError(refusal)


def _rebuilt(table: str, **kwargs: bool) -> AbstractContextManager[BatchOperations]:
    """Rebuild the table on SQLite, which cannot add a column that may not be null; elsewhere, alter it."""
    recreate: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    return op.batch_alter_table(table, recreate=recreate, table_kwargs=kwargs)


def _replace_status(account: BatchOperations, words: str) -> None:
    account.drop_constraint("tc_account_status_known", type_="check")
    account.create_check_constraint("tc_account_status_known", sa.text(f"status IN ({words})"))


def _ring_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("min_decrypt", sa.BigInteger, nullable=False),
        sa.Column("frozen", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("recovery", sa.Text, nullable=False),
        sa.Column("hash_key", sa.LargeBinary, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
    ]


def _kek_slot() -> None:
    op.create_table(
        "tc_kek_slot",
        sa.Column("ring_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["ring_id", "version"], ["tc_kek.ring_id", "tc_kek.version"], name="tc_kek_slot_kek", ondelete="CASCADE"
        ),
    )
