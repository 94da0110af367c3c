"""The forms and queries of OAuth 2.0, as they come in."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from tigercore_simulator.denials import malformed

Form = Mapping[str, str]


def read_form(text: str | bytes) -> Form:
    """Read a form or a query; a name may come once."""
    try:
        pairs = parse_qsl(text.decode() if isinstance(text, bytes) else text, keep_blank_values=True)
    except ValueError:
        raise malformed("the form cannot be read") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise malformed("a parameter comes twice")
    return form


def need(form: Form, name: str) -> str:
    """Return a value that may not be missing."""
    value = form.get(name, "")
    if not value:
        raise malformed(f"'{name}' is missing")
    return value
