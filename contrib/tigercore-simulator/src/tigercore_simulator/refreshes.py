"""The refreshes of one developer's token, or of one OAuth 2.0 client's grants."""

from typing import Any

from attrs import asdict, define, field, frozen


@frozen
class Refused:
    """Say why a refresh was refused, and when the token it carried had been minted, if that is known."""

    generation: int | None
    why: str


@define
class Refreshes:
    """Count the refreshes under way, and keep what was accepted and refused, oldest first.

    A refresh is in flight from its arrival until its reply is sent or its client is gone, and in any case until it
    has been executed, if it is to be. Generations are the moments of the accepted tokens, in milliseconds.
    """

    in_flight: int = 0
    max_concurrent_refreshes: int = 0
    generations: list[int] = field(factory=list)
    refused: list[Refused] = field(factory=list)

    def arrive(self) -> None:
        """Count a refresh that has come in."""
        self.in_flight += 1
        self.max_concurrent_refreshes = max(self.max_concurrent_refreshes, self.in_flight)

    def leave(self) -> None:
        """Count a refresh as done."""
        self.in_flight -= 1

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return asdict(self)
