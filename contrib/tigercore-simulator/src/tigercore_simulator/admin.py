"""The admin endpoints: faults, the oracle and the consent over HTTP."""

import json
from collections.abc import Callable, Mapping

from attrs import asdict, frozen

from tigercore_simulator.consent import consent_from_json
from tigercore_simulator.envelope import Reply
from tigercore_simulator.faults import Faults, fault_from_json, fault_to_json
from tigercore_simulator.interference import Outcome
from tigercore_simulator.issuer import Issuer
from tigercore_simulator.oracle import Oracle

PREFIX = "/admin/"


@frozen
class Admin:
    """Answer what stands under ``/admin/``."""

    faults: Faults
    oracle: Oracle
    issuer: Issuer

    def receive(self, verb: str, path: str, body: bytes) -> Outcome:
        """Answer one admin request."""
        rule = self._rules().get((verb, path))
        if rule is None:
            return _wrong(404, f"there is no {verb} {path} here")
        return rule(body)

    def _rules(self) -> Mapping[tuple[str, str], Callable[[bytes], Outcome]]:
        return {
            ("GET", "/admin/faults"): lambda body: self._list(),
            ("POST", "/admin/faults"): self._add,
            ("DELETE", "/admin/faults"): lambda body: self._clear(),
            ("POST", "/admin/release"): lambda body: self._release(),
            ("GET", "/admin/consent"): lambda body: self._consent(),
            ("POST", "/admin/consent"): self._agree,
            ("GET", "/admin/oracle"): lambda body: Outcome(Reply(self.oracle.snapshot())),
        }

    def _list(self) -> Outcome:
        return Outcome(Reply({"faults": [fault_to_json(fault) for fault in self.faults.active]}))

    def _add(self, body: bytes) -> Outcome:
        try:
            wanted = json.loads(body)
            faults = [fault_from_json(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
        except ValueError as wrong:
            return _wrong(400, str(wrong))
        for fault in faults:
            self.faults.add(fault)
        return self._list()

    def _clear(self) -> Outcome:
        self.faults.clear()
        return self._list()

    def _release(self) -> Outcome:
        self.faults.release()
        return self._list()

    def _consent(self) -> Outcome:
        return Outcome(Reply(asdict(self.issuer.consent)))

    def _agree(self, body: bytes) -> Outcome:
        try:
            self.issuer.consent = consent_from_json(json.loads(body))
        except ValueError as wrong:
            return _wrong(400, str(wrong))
        return self._consent()


def _wrong(status: int, message: str) -> Outcome:
    return Outcome(Reply({"error": message}, status))
