"""The gateway: checks a request in the broker's order, and has its method answered."""

import logging
from collections.abc import Callable, Mapping
from functools import partial

from attrs import evolve, frozen

from tigercore_simulator import envelope as envelopes
from tigercore_simulator import profile
from tigercore_simulator.developers import Developer, Register, Signer
from tigercore_simulator.envelope import Envelope, Reply
from tigercore_simulator.faults import REFUSING, Faults, Kind
from tigercore_simulator.grants import Grants
from tigercore_simulator.interference import Outcome, counted, interfere
from tigercore_simulator.limits import Windows
from tigercore_simulator.methods import Call, Method, Rooms, table
from tigercore_simulator.oracle import Oracle
from tigercore_simulator.refreshes import Refused
from tigercore_simulator.refusals import Refusal, business, common, forbidden
from tigercore_simulator.tokens import LICENSE, REFRESH

Clock = Callable[[], float]
_BEARER = "Bearer "
_BAD_PARAMETERS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_log = logging.getLogger(__name__)


@frozen
class _Sender:
    """Hold who is let in; the scopes are those of OAuth 2.0, ``None`` for one who signs."""

    developer: Developer
    scopes: frozenset[str] | None = None


class Gateway:
    """Answer requests. It does no input and no output; the server does."""

    def __init__(
        self,
        register: Register,
        rooms: Rooms,
        grants: Grants,
        clock: Clock,
        *,
        oracle: Oracle,
        faults: Faults,
        signer: Signer | None = None,
    ) -> None:
        self._register = register
        self._rooms = rooms
        self._grants = grants
        self._methods: Mapping[str, Method] = table(rooms)
        self._windows = Windows(rooms.limits)
        self._clock = clock
        self._oracle = oracle
        self._faults = faults
        self._signer = signer

    def receive(self, body: bytes, authorization: str) -> Outcome:
        """Take a request in and say what becomes of it, faults included."""
        try:
            envelope = envelopes.read(body)
        except Refusal as refusal:
            return Outcome(envelopes.error(refusal, self._clock()))
        outcome = self._meet(envelope, authorization)
        if envelope.method != REFRESH:
            return outcome
        return counted(outcome, self._oracle.refreshes[envelope.tiger_id])

    def answer(self, envelope: Envelope, authorization: str) -> Reply:
        """Answer a request as if no fault were switched on."""
        now = self._clock()
        try:
            reply = envelopes.success(self._perform(envelope, authorization, now), now)
        except Refusal as refusal:
            self._note(envelope, authorization, refusal)
            reply = envelopes.error(refusal, now)
        return self._signed(reply, envelope)

    def _meet(self, envelope: Envelope, authorization: str) -> Outcome:
        execute = partial(self.answer, envelope, authorization)
        tiger_id = self._tiger_id(envelope, authorization)
        fault = self._faults.take(tiger_id, envelope.account, envelope.method)
        if fault is None or (fault.kind in REFUSING and not self._admits(envelope, authorization)):
            return Outcome(execute())
        if fault.kind is Kind.ROTATE_TOKEN and self._rooms.tokens.current(tiger_id):
            self._rooms.tokens.rotate(tiger_id, self._clock())
        return interfere(fault, envelope.method, execute, self._clock)

    def _note(self, envelope: Envelope, authorization: str, refusal: Refusal) -> None:
        self._oracle.refuse(self._tiger_id(envelope, authorization), envelope.method, refusal)
        if envelope.method == REFRESH:
            generation = self._rooms.tokens.generation(envelope.tiger_id, authorization)
            self._oracle.refreshes[envelope.tiger_id].refused.append(Refused(generation, refusal.message))

    def _tiger_id(self, envelope: Envelope, authorization: str) -> str:
        return self._grants.holder(_bearer(envelope, authorization)) or envelope.tiger_id

    def _perform(self, envelope: Envelope, authorization: str, now: float) -> object:
        try:
            return self._execute(envelope, authorization, now)
        except _BAD_PARAMETERS:
            # Parameters of a wrong type surface here, and one bad request may not end the simulator.
            _log.exception("cannot answer %s", envelope.method)
            raise Refusal(1, "server error(internal failure or bad params)") from None

    def _execute(self, envelope: Envelope, authorization: str, now: float) -> object:
        sender = self._admit(envelope, authorization, now)
        method = self._method(envelope.method)
        _check_scope(sender, method)
        self._windows.admit(sender.developer.tiger_id, envelope.method, now)
        call = self._call(sender.developer, envelope, now)
        self._check(method, call, sender)
        data = method.answer(call)
        self._oracle.done(sender.developer.tiger_id, call.account, call.method)
        return data

    def _admits(self, envelope: Envelope, authorization: str) -> bool:
        try:
            self._admit(envelope, authorization, self._clock())
        except Refusal:
            return False
        return True

    def _admit(self, envelope: Envelope, authorization: str, now: float) -> _Sender:
        bearer = _bearer(envelope, authorization)
        if bearer:
            return self._admit_bearer(envelope, bearer, now)
        envelopes.check(envelope)
        developer = self._register.find(envelope.tiger_id)
        self._register.verify(developer, envelope.signature, envelope.sign_content())
        if developer.license == LICENSE:
            self._rooms.tokens.check(developer.tiger_id, authorization, now, method=envelope.method)
        return _Sender(developer)

    def _admit_bearer(self, envelope: Envelope, bearer: str, now: float) -> _Sender:
        grant = self._grants.admit(bearer, now)
        envelopes.check(envelope, signed=False)
        return _Sender(self._register.find(grant.tiger_id), grant.scopes)

    def _method(self, name: str) -> Method:
        method = self._methods.get(name)
        if method is None:
            raise common("the current requested method does not support")
        return method

    def _call(self, developer: Developer, envelope: Envelope, now: float) -> Call:
        params = envelopes.parameters(envelope)
        return Call(developer, envelope.method, envelope.account, envelope.text("device_id"), params, now)

    def _check(self, method: Method, call: Call, sender: _Sender) -> None:
        if call.account is not None:
            _check_account(sender, call.account)
        elif method.needs_account:
            raise business("field 'account' cannot be empty")
        if method.needs_account and call.account:
            self._windows.admit_order(call.account, call.method, call.now)
        if method.needs_seat:
            self._rooms.seats.check(call.developer.tiger_id, call.device)

    def _signed(self, reply: Reply, envelope: Envelope) -> Reply:
        if self._signer is None:
            return reply
        return evolve(reply, content={**reply.content, "sign": self._signer.sign(envelope.text("timestamp"))})


def _bearer(envelope: Envelope, authorization: str) -> str:
    # What is signed bears a TBHK token there, whatever it looks like.
    signed = "sign" in envelope.fields
    return authorization.removeprefix(_BEARER) if authorization.startswith(_BEARER) and not signed else ""


def _check_scope(sender: _Sender, method: Method) -> None:
    if sender.scopes is None:
        return
    if method.scope is None:
        raise common("the current requested method does not support")
    if method.scope not in sender.scopes:
        raise forbidden(f"insufficient scope: {method.scope}")


def _check_account(sender: _Sender, account: str) -> None:
    if not account.isdigit():
        raise business("field 'secret_key' or 'account' invalid")
    if sender.scopes is not None and not sender.developer.owns(account):
        raise forbidden("the account is not granted")
    profile.check_owner(sender.developer, account)
