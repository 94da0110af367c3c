"""What libpq is told: the parameters of a connection, never weaker than they look, and a name that may be shown."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

Parameters = dict[str, str]

_DEFAULTS = {
    "client_encoding": "utf8",
    "fallback_application_name": "tigercore",
    "connect_timeout": "10",
    "keepalives_idle": "10",  # a host that is gone is noticed within half a minute
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_OWN_ROOTS = Path("~/.postgresql/root.crt")  # where libpq looks by itself


def parsed(text: str) -> Parameters:
    """Return the parameters of a URL or of `host=… dbname=…`. No error shows any of it.

    :raises ValueError: it is neither, or its password has a sign that must be written in another way.
    """
    scheme, sign, rest = text.partition("://")
    plain = f"{scheme.split('+')[0]}{sign}{rest}"  # postgresql+psycopg:// is SQLAlchemy's
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(plain).items()}
    except (psycopg.Error, UnicodeError):
        found = {}
    if text and not found:
        raise ValueError("it cannot be read: write it as postgresql://USER@HOST/DATABASE")
    if "@" in found.get("host", "").lstrip("@") or "@" in found.get("dbname", ""):
        raise ValueError("its password has an @ or a / : write them as %40 and %2F")
    return found


def completed(found: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Parameters:
    """Add what was left open. A server on another host has to prove who it is, unless an `sslmode` was given."""
    return {**_DEFAULTS, **_verified(found, environ), **found}


def shown(found: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> str:
    """Return how errors call the database: by its name and host."""
    name = found.get("dbname") or environ.get("PGDATABASE")
    host = found.get("host") or found.get("hostaddr") or environ.get("PGHOST")
    return " ".join(["the database", *([name] if name else []), *([f"on {host}"] if host else [])])


def _verified(found: Mapping[str, str], environ: Mapping[str, str]) -> Parameters:
    mode = found.get("sslmode") or environ.get("PGSSLMODE") or ("verify-full" if _is_remote(found, environ) else "")
    if mode != "verify-full":
        return {}
    if "PGSSLROOTCERT" in environ or _OWN_ROOTS.expanduser().exists():
        return {"sslmode": mode}
    # the roots of OpenSSL itself may be nowhere: psycopg's wheel brings one that looks where no system keeps them
    return {"sslmode": mode, "sslrootcert": ssl.get_default_verify_paths().cafile or "system"}


def _is_remote(found: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Say whether the connection leaves this host; with a service file nobody knows."""
    if "service" in found or "PGSERVICE" in environ:
        return True
    named = [found.get("hostaddr") or environ.get("PGHOSTADDR"), found.get("host") or environ.get("PGHOST")]
    hosts = next((each for each in named if each), "")
    return not all(_is_local(host) for host in hosts.split(","))


def _is_local(host: str) -> bool:
    if host in ("", "localhost") or host[0] in "/@":  # a socket in a folder, or Linux's abstract one
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
