"""The fields of an account as options, and its secrets as files."""

from __future__ import annotations

from typing import Annotated, Any, Final, final

import attrs
from cyclopts import Group, Parameter

from tigercore.cli._input import read_secret, refuse_two_stdins
from tigercore.model import AccountType, Environment, License, MarketPermission, Secret

NOTHING: Final = "nothing to change was named: see tigercore account update --help"
_SECRETS = Group("Secrets", help="FILE is a file with nothing else in it, or - for stdin.", sort_key=50)


@Parameter(name="*")
@final
@attrs.frozen(kw_only=True)
class AccountFields:
    """What may be said of an account; what is left out keeps its value, or its default."""

    name: Annotated[str | None, Parameter(help="A name for people; its number unless told.")] = None
    type: Annotated[AccountType | None, Parameter(help="What the broker keeps.")] = None
    environment: Annotated[Environment | None, Parameter(help="Where it lives.")] = None
    license: Annotated[License | None, Parameter(help="The broker's entity.")] = None
    permission: Annotated[
        tuple[MarketPermission, ...] | None, Parameter(help="A market it may act in; repeatable.", negative=())
    ] = None
    tag: Annotated[tuple[str, ...] | None, Parameter(help="A tag; repeatable.", negative=())] = None
    server_url: Annotated[str | None, Parameter(help="A gateway of its own; '' for its licence's.")] = None
    description: Annotated[str | None, Parameter(help="A line of text.")] = None
    weight: Annotated[float | None, Parameter(help="Its share where a strategy weighs; above 0.")] = None
    default_trading: Annotated[bool | None, Parameter(help="Trading goes here first.")] = None
    default_data: Annotated[bool | None, Parameter(help="Market data comes from here first.")] = None

    def given(self) -> dict[str, Any]:
        """Return what was said, under the account's own names."""
        return {_OWN.get(name, name): value for name, value in attrs.asdict(self).items() if value is not None}


FIELDS = AccountFields()
_OWN: Final = {
    "name": "account_name",
    "type": "account_type",
    "permission": "market_permissions",
    "tag": "tags",
    "default_trading": "is_default_trading",
    "default_data": "is_default_data",
}


@Parameter(name="*", group=_SECRETS)
@final
@attrs.frozen(kw_only=True)
class SecretFiles:
    """Where an account's secrets are read from."""

    tiger_id_file: Annotated[str | None, Parameter(help="The developer's id.", allow_leading_hyphen=True)] = None
    private_key_file: Annotated[
        str | None, Parameter(help="The private key, PEM or base64.", allow_leading_hyphen=True)
    ] = None
    secret_key_file: Annotated[
        str | None, Parameter(help="The secret key of an institution.", allow_leading_hyphen=True)
    ] = None
    token_file: Annotated[
        str | None, Parameter(help="The token, which a TBHK account needs.", allow_leading_hyphen=True)
    ] = None

    def read(self) -> dict[str, Secret]:
        """Return the secrets whose files were named.

        :raises UsageError: a file cannot be read.
        """
        named = {name: file for name, file in attrs.asdict(self).items() if file is not None}
        refuse_two_stdins(*named.values())
        return {
            name.removesuffix("_file"): read_secret(file, f"--{name.replace('_', '-')}") for name, file in named.items()
        }


SECRETS = SecretFiles()
