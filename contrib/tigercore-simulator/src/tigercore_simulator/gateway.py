"""The gateway: checks a request in the broker's order, and has its method answered."""

import logging
from collections.abc import Callable, Mapping
from functools import partial

from attrs import evolve

from tigercore_simulator import envelope as envelopes
from tigercore_simulator import profile
from tigercore_simulator.developers import Developer, Register, Signer
from tigercore_simulator.envelope import Envelope, Reply
from tigercore_simulator.faults import REFUSING, Faults, Kind
from tigercore_simulator.interference import Outcome, interfere
from tigercore_simulator.limits import Windows
from tigercore_simulator.methods import Call, Method, Rooms, table
from tigercore_simulator.oracle import Oracle
from tigercore_simulator.refusals import Refusal, business, common
from tigercore_simulator.tokens import LICENSE

Clock = Callable[[], float]
_BAD_PARAMETERS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_log = logging.getLogger(__name__)


class Gateway:
    """Answer requests. It does no input and no output; the server does."""

    def __init__(
        self,
        register: Register,
        rooms: Rooms,
        clock: Clock,
        *,
        oracle: Oracle,
        faults: Faults,
        signer: Signer | None = None,
    ) -> None:
        self._register = register
        self._rooms = rooms
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
        execute = partial(self.answer, envelope, authorization)
        fault = self._faults.take(envelope.tiger_id, envelope.account, envelope.method)
        if fault is None or (fault.kind in REFUSING and not self._admits(envelope, authorization)):
            return Outcome(execute())
        if fault.kind is Kind.ROTATE_TOKEN and self._rooms.tokens.current(envelope.tiger_id):
            self._rooms.tokens.rotate(envelope.tiger_id, self._clock())
        return interfere(fault, envelope.method, execute, self._clock)

    def answer(self, envelope: Envelope, authorization: str) -> Reply:
        """Answer a request as if no fault were switched on."""
        now = self._clock()
        try:
            reply = envelopes.success(self._perform(envelope, authorization, now), now)
        except Refusal as refusal:
            self._oracle.refuse(envelope.tiger_id, envelope.method, refusal)
            reply = envelopes.error(refusal, now)
        return self._signed(reply, envelope)

    def _perform(self, envelope: Envelope, authorization: str, now: float) -> object:
        try:
            return self._execute(envelope, authorization, now)
        except _BAD_PARAMETERS:
            # Parameters of a wrong type surface here, and one bad request may not end the simulator.
            _log.exception("cannot answer %s", envelope.method)
            raise Refusal(1, "server error(internal failure or bad params)") from None

    def _execute(self, envelope: Envelope, authorization: str, now: float) -> object:
        developer = self._admit(envelope, authorization, now)
        method = self._method(envelope.method)
        self._windows.admit(developer.tiger_id, envelope.method, now)
        call = self._call(developer, envelope, now)
        self._check(method, call)
        data = method.answer(call)
        self._oracle.done(developer.tiger_id, call.account, call.method)
        return data

    def _admits(self, envelope: Envelope, authorization: str) -> bool:
        try:
            self._admit(envelope, authorization, self._clock())
        except Refusal:
            return False
        return True

    def _admit(self, envelope: Envelope, authorization: str, now: float) -> Developer:
        envelopes.check(envelope)
        developer = self._register.find(envelope.tiger_id)
        self._register.verify(developer, envelope.signature, envelope.sign_content())
        if developer.license == LICENSE:
            self._rooms.tokens.check(developer.tiger_id, authorization, now)
        return developer

    def _method(self, name: str) -> Method:
        method = self._methods.get(name)
        if method is None:
            raise common("the current requested method does not support")
        return method

    def _call(self, developer: Developer, envelope: Envelope, now: float) -> Call:
        params = envelopes.parameters(envelope)
        return Call(developer, envelope.method, envelope.account, envelope.text("device_id"), params, now)

    def _check(self, method: Method, call: Call) -> None:
        if call.account is not None:
            _check_account(call.developer, call.account)
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


def _check_account(developer: Developer, account: str) -> None:
    if not account.isdigit():
        raise business("field 'secret_key' or 'account' invalid")
    profile.check_owner(developer, account)
