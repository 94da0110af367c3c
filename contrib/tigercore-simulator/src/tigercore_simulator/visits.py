"""The visits of a person's browser: pages on which a client is allowed or denied what it asks for."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

from tigercore_simulator.clients import Client, Clients
from tigercore_simulator.codes import Codes, read_asked
from tigercore_simulator.consent import Answer, Consent
from tigercore_simulator.denials import Denial, malformed
from tigercore_simulator.devices import Devices
from tigercore_simulator.envelope import Reply
from tigercore_simulator.forms import Form, need, read_form
from tigercore_simulator.grants import Grant
from tigercore_simulator.interference import Outcome

_OWN = ("consent", "tiger_id")
_DONE = "<p>That is all. You may close this page.</p>"


class Visits:
    """Answer browsers. Where nobody is to be asked, the visit itself is the consent."""

    def __init__(
        self, clients: Clients, codes: Codes, devices: Devices, tiger_ids: tuple[str, ...], consent: Consent
    ) -> None:
        self._clients = clients
        self._codes = codes
        self._devices = devices
        self._tiger_ids = tiger_ids
        self.consent = consent

    def authorize(self, text: str, now: float) -> Outcome:
        """Answer the page of the browser flow: with a redirect back to the client, once it is known to be one."""
        query = read_form(text)
        client = self._clients.find(query)
        client.check_redirect(need(query, "redirect_uri"))
        answer = self._answer(query)
        if answer is Answer.ASK:
            return self._ask(query)
        try:
            told = {"code": self._code(query, client, answer, now)}
        except Denial as denial:
            told = {"error": denial.error, "error_description": denial.description}
        state = {"state": query["state"]} if "state" in query else {}
        return _redirect(query["redirect_uri"], told | state)

    def verify(self, text: str, now: float) -> Outcome:
        """Answer the page of the device flow."""
        query = read_form(text)
        answer = self._answer(query)
        if answer is Answer.ASK or "user_code" not in query:
            return self._ask({"user_code": "", **query})
        device = self._devices.shown(query["user_code"], now)
        if answer is Answer.ALLOW:
            device.grant = Grant(device.client_id, self._person(query), self.consent.narrow(device.scopes))
        device.decided = True
        return _page(_DONE)

    def _code(self, query: Form, client: Client, answer: Answer, now: float) -> str:
        asked = read_asked(query, client)
        if answer is Answer.DENY:
            raise Denial("access_denied", "the person has denied the request")
        return self._codes.issue(asked, self._person(query), self.consent.narrow(asked.scopes), now)

    def _answer(self, query: Form) -> Answer:
        try:
            return Answer(query.get("consent", self.consent.answer))
        except ValueError:
            raise malformed(f"'consent' is {', '.join(Answer)}") from None

    def _person(self, query: Form) -> str:
        person = query.get("tiger_id") or self.consent.tiger_id or self._tiger_ids[0]
        if person not in self._tiger_ids:
            raise malformed("there is no developer with this tiger_id")
        return person

    def _ask(self, query: Form) -> Outcome:
        people = "".join(f"<option{_mark(each == self._person(query))}>{each}</option>" for each in self._tiger_ids)
        fields = "".join(_input(name, value) for name, value in query.items() if name not in _OWN)
        buttons = "".join(f'<button name="consent" value="{each}">{each}</button>' for each in ("allow", "deny"))
        return _page(f'<form>{fields}<select name="tiger_id">{people}</select>{buttons}</form>')


def _input(name: str, value: str) -> str:
    kind = "text" if name == "user_code" else "hidden"
    return f'<input type="{kind}" name="{escape(name)}" value="{escape(value)}">'


def _mark(selected: bool) -> str:
    return " selected" if selected else ""


def _page(body: str) -> Outcome:
    html = f"<!DOCTYPE html><html><head><title>Simulated consent</title></head><body>{body}</body></html>"
    return Outcome(None, text=html.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def _redirect(uri: str, told: Mapping[str, str]) -> Outcome:
    joint = "&" if "?" in uri else "?"
    return Outcome(Reply({}, 302), headers={"Location": uri + joint + urlencode(told)})
