"""A request that is not served: its status, the place of the fault, and the way out."""

from collections.abc import Mapping
from typing import Any

from treesent.errors import TreesentError


class Refusal(TreesentError):
    """A request that cannot be served."""

    def __init__(
        self, status: int, message: str, place: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Name the fault.

        :param status: of HTTP.
        :param message: what was found, what was expected, and how to mend it.
        :param place: where in the request: ``body``, ``texts[3]``, ``line 7``.
        :param headers: of the answer, such as ``Retry-After``.
        """
        super().__init__(message if place is None else f"{place}: {message}")
        self.status, self.message, self.place, self.headers = status, message, place, dict(headers or {})

    def to_dict(self, identity: str) -> dict[str, Any]:
        """The answer's body.

        :param identity: the request's id.
        """
        where = {} if self.place is None else {"place": self.place}
        return {"error": {"status": self.status, **where, "message": self.message, "request": identity}}


def overloaded(reason: str, seconds: float) -> Refusal:
    """Ask a client to come again.

    :param reason: what there is too much of.
    :param seconds: after how long.
    """
    later = str(max(1, min(60, round(seconds + 0.5))))
    return Refusal(429, f"{reason}; try again in {later} s", headers={"Retry-After": later})
