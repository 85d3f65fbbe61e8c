"""What a server is asked to do, and its limits."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from treesent.errors import TreesentError


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve; the command line has an option for each field."""

    host: str = "127.0.0.1"
    """The address to bind."""
    port: int = 8000
    """The port to bind; 0 takes a free one."""
    workers: int = 1
    """Processes that share the port, each with a scoring thread."""
    token: str | None = None
    """What clients must send as ``Authorization: Bearer TOKEN``; needed for any address but this machine's own."""
    hosts: tuple[str, ...] = ()
    """Names beside the bound address that requests may be sent to, such as ``scores.example.org``."""
    corrections: Path | None = None
    """The file that keeps the labels that people correct; None to keep none."""
    max_body: int = 2**20
    """Bytes of the longest body, and of the longest line of a stream."""
    max_texts: int = 256
    """Texts of one request; a stream has no such limit."""
    max_length: int = 20_000
    """Characters of the longest text."""
    max_requests: int = 256
    """Requests at work at once; more are told to come again."""
    max_waiting: int = 200_000
    """Characters waiting to be scored, from which on requests are told to come again."""
    max_delay: float = 5.0
    """Seconds that the waiting texts will take, from which on requests are told to come again."""
    batch_size: int = 64
    """Texts that go through the network together."""
    batch_wait: float = 0.002
    """Seconds that a text waits for others to be scored with, where there are others."""
    timeout: float = 30.0
    """Seconds until a request is given up."""
    read_timeout: float = 10.0
    """Seconds in which headers must arrive, then the body; in a stream, its next part."""
    write_timeout: float = 30.0
    """Seconds in which a client must take what it is sent."""
    drain: float = 30.0
    """Seconds that requests at work have left after SIGTERM."""

    def __post_init__(self) -> None:
        """Refuse to serve strangers without a token.

        :raises TreesentError: the address can be reached from elsewhere and there is no token, or one is too short.
        """
        if self.token is not None and len(self.token) < 16:
            raise TreesentError(
                f"the token has {len(self.token)} characters; give at least 16, such as those of: openssl rand -hex 16"
            )
        if self.token is None and not _is_own(self.host):
            raise TreesentError(
                f"--host {self.host} can be reached from other machines: give a token with --token or in "
                "TREESENT_TOKEN, or leave --host out"
            )


def _is_own(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
