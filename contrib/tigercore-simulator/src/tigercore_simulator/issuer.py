"""The issuer of OAuth 2.0 tokens: the endpoints of clients, and the pages of persons."""

from collections.abc import Callable
from functools import partial
from random import Random

from attrs import field, frozen

from tigercore_simulator.clients import Client, Clients
from tigercore_simulator.codes import Codes
from tigercore_simulator.consent import Consent
from tigercore_simulator.denials import Denial
from tigercore_simulator.devices import Devices
from tigercore_simulator.envelope import Reply
from tigercore_simulator.faults import Faults
from tigercore_simulator.forms import Form, need, read_form
from tigercore_simulator.grants import Grant, Grants, Terms
from tigercore_simulator.interference import Clock, Outcome, counted, interfere
from tigercore_simulator.oracle import Oracle
from tigercore_simulator.refreshes import Refused
from tigercore_simulator.scopes import ALL
from tigercore_simulator.server import Request
from tigercore_simulator.visits import Visits
from tigercore_simulator.wire import Json

PREFIX = "/oauth2"
REFRESH = "oauth2_refresh"
_METADATA = "/.well-known/oauth-authorization-server"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


_Rule = Callable[[Client, Form, float], Grant]


@frozen
class _Asked:
    body: bytes = field(repr=False)
    form: Form = field(repr=False)
    now: float


@frozen
class _Endpoint:
    method: str
    answer: Callable[[_Asked], Json]
    status: int = 200


class Issuer:
    """Answer what stands under ``/oauth2``, at ``url``. It does no input and no output; the server does.

    Faults meet the endpoints of clients by the methods ``oauth2_metadata``, ``oauth2_register``, ``oauth2_device``,
    ``oauth2_token``, ``oauth2_refresh`` and ``oauth2_revoke``.
    """

    def __init__(
        self,
        base: str,
        tiger_ids: tuple[str, ...],
        terms: Terms,
        random: Random,
        clock: Clock,
        *,
        oracle: Oracle,
        faults: Faults,
    ) -> None:
        self.url = base + PREFIX
        self.grants = Grants(random, terms)
        self._clients = Clients(random)
        self._codes = Codes(random)
        self._devices = Devices(random, terms, f"{self.url}/verify")
        self._visits = Visits(self._clients, self._codes, self._devices, tiger_ids, terms.consent)
        self._clock = clock
        self._oracle = oracle
        self._faults = faults

    @property
    def consent(self) -> Consent:
        """Say who sits at the browser and what they answer; may be set at any time."""
        return self._visits.consent

    @consent.setter
    def consent(self, consent: Consent) -> None:
        self._visits.consent = consent

    def receive(self, request: Request) -> Outcome:
        """Take a request in and say what becomes of it, faults included."""
        try:
            return self._receive(request, request.path.removeprefix(PREFIX))
        except Denial as denial:
            return Outcome(_denied(denial))

    def _receive(self, request: Request, path: str) -> Outcome:
        visit = {"/authorize": self._visits.authorize, "/verify": self._visits.verify}.get(path)
        if visit and request.verb == "GET":
            return visit(request.query, self._clock())
        endpoint = self._endpoints().get((request.verb, path))
        if endpoint is None:
            raise Denial("not_found", f"there is no {request.verb} {request.path} here", 404)
        return self._meet(endpoint, request.body)

    def _endpoints(self) -> dict[tuple[str, str], _Endpoint]:
        register = _Endpoint("oauth2_register", lambda asked: self._clients.register(asked.body, asked.now), 201)
        return {
            ("GET", _METADATA): _Endpoint("oauth2_metadata", lambda asked: self._metadata()),
            ("POST", "/register"): register,
            ("POST", "/device"): _Endpoint("oauth2_device", self._device),
            ("POST", "/token"): _Endpoint("oauth2_token", self._token),
            ("POST", "/revoke"): _Endpoint("oauth2_revoke", self._revoke),
        }

    def _meet(self, endpoint: _Endpoint, body: bytes) -> Outcome:
        form = {} if endpoint.method == "oauth2_register" else read_form(body)
        method = REFRESH if form.get("grant_type") == "refresh_token" else endpoint.method
        execute = partial(self._answer, endpoint, body, form)
        holder = self.grants.holder(form.get("refresh_token") or form.get("token", ""))
        fault = self._faults.take(holder, None, method)
        outcome = interfere(fault, method, execute, self._clock) if fault else Outcome(execute())
        return counted(outcome, self._oracle.refreshes[form.get("client_id", "")]) if method == REFRESH else outcome

    def _answer(self, endpoint: _Endpoint, body: bytes, form: Form) -> Reply:
        try:
            return Reply(endpoint.answer(_Asked(body, form, self._clock())), endpoint.status)
        except Denial as denial:
            if form.get("grant_type") == "refresh_token":
                refused = Refused(self.grants.generation(form.get("refresh_token", "")), denial.error)
                self._oracle.refreshes[form.get("client_id", "")].refused.append(refused)
            return _denied(denial)

    def _metadata(self) -> Json:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "device_authorization_endpoint": f"{self.url}/device",
            "revocation_endpoint": f"{self.url}/revoke",
            "scopes_supported": sorted(ALL),
            "response_types_supported": ["code"],
            "grant_types_supported": list(self._rules()),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }

    def _device(self, asked: _Asked) -> Json:
        return self._devices.begin(self._clients.find(asked.form), asked.form, asked.now)

    def _token(self, asked: _Asked) -> Json:
        rule = self._rules().get(need(asked.form, "grant_type"))
        if rule is None:
            raise Denial("unsupported_grant_type", f"'grant_type' is {', '.join(self._rules())}")
        client = self._clients.find(asked.form)
        grant = rule(client, asked.form, asked.now)
        tokens = self.grants.give(grant, asked.now)
        if asked.form["grant_type"] == "refresh_token":
            self._oracle.refreshes[client.id].generations.append(grant.generation)
        return tokens

    def _rules(self) -> dict[str, _Rule]:
        return {
            "authorization_code": self._codes.redeem,
            "refresh_token": self._refresh,
            _DEVICE_GRANT: self._devices.poll,
        }

    def _refresh(self, client: Client, form: Form, now: float) -> Grant:
        return self.grants.refresh(client.id, need(form, "refresh_token"), now)

    def _revoke(self, asked: _Asked) -> Json:
        self.grants.revoke(self._clients.find(asked.form).id, need(asked.form, "token"))
        return {}


def _denied(denial: Denial) -> Reply:
    return Reply({"error": denial.error, "error_description": denial.description}, denial.status)
