"""What every request passes: who may ask, how many at once, and what is told of it afterwards."""

import asyncio
import hmac
import re
import time
from collections.abc import MutableMapping
from itertools import count
from secrets import token_hex
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from treesent.scoring.rendering import to_json
from treesent.serve import log
from treesent.serve.refusal import Refusal, overloaded
from treesent.serve.service import Service

WORK = ("/v1/score", "/v1/tree.svg", "/v1/corrections")
OPEN = ("/", "/healthz", "/readyz")
ASSETS = "/assets/"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ENCODED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNREAD = (401, 403, 421, 429)
"""Refused before the body is read, which may be long: the connection is closed."""


class Gate:
    """The application around the routes."""

    def __init__(self, app: ASGIApp, service: Service, hosts: frozenset[str]) -> None:
        """Stand before an application.

        :param app: the routes.
        :param service: what they serve.
        :param hosts: the values of the header ``Host`` that are this server's.
        """
        self._app, self._service, self._hosts = app, service, hosts
        self._origins = {f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")}
        self._at_work = 0
        self._start, self._numbers = token_hex(5), count()  # by hand: a random number is a call to the system

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        headers = _headers(scope)
        given = headers.get("x-request-id", "")
        answer = _Answer(send, given if _IDENTITY.fullmatch(given) else self._identity())
        scope.update(app=self, treesent={}, treesent_request=answer.identity)
        try:
            self._check(scope, headers)
            await self._pass(scope, receive, answer)
        except Refusal as refusal:
            await answer.refuse(refusal)
        except asyncio.CancelledError:
            if answer.status:
                raise
            await answer.refuse(
                Refusal(503, "the server is ending; ask it again later", headers={"Retry-After": "5"})
            )
        except HTTPException as error:
            await answer.refuse(_of_starlette(error, scope["method"]))
        except Exception as error:
            log.fault(error, answer.identity)
            if answer.status:
                raise  # half an answer is out: the server cuts the connection
            await answer.refuse(Refusal(500, "the server failed; its log has the request's id"))
        finally:
            self._tell(scope, answer, time.perf_counter() - start)

    def _identity(self) -> str:
        return f"{self._start}{next(self._numbers):06x}"

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            raise Refusal(
                421, f"{host[:80]!r} is not a name of this server; start it with --allow-host", "Host"
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            raise Refusal(403, f"pages of {origin[:80]!r} may not ask this server", "Origin")
        token, path = self._service.options.token, scope["path"]
        if token is None or path in OPEN or path.startswith(ASSETS):
            return
        sent = headers.get("authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            raise Refusal(
                401,
                "send the server's token: Authorization: Bearer TOKEN",
                "Authorization",
                {"WWW-Authenticate": "Bearer"},
            )

    async def _pass(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if scope["path"] not in WORK:
            await self._app(scope, receive, answer)
            return
        if self._at_work >= self._service.options.max_requests:
            raise overloaded("too many requests are being served", 1)
        self._at_work += 1
        try:
            await self._app(scope, receive, answer)
        finally:
            self._at_work -= 1
            self._service.counters.set("treesent_requests_at_work", self._at_work)
            self._service.counters.set("treesent_waiting_characters", self._service.batcher.waiting)

    def _tell(self, scope: Scope, answer: "_Answer", seconds: float) -> None:
        path, told = scope["path"], scope["treesent"]
        self._service.counters.request(path, answer.status or 499, seconds)
        self._service.counters.add("treesent_characters_total", told.get("characters", 0))
        known = path in (*WORK, *OPEN, "/v1/model", "/metrics", "/openapi.json") or path.startswith(ASSETS)
        log.request(
            answer.identity,
            scope["method"],
            path if known and path.isascii() else "other",
            answer.status or 499,
            seconds,
            told,
        )


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by name; those that come twice, which two readers may read in two ways, are joined."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1")
        found[name] = (
            f"{found[name]}, {value.decode('latin-1')}" if name in found else value.decode("latin-1")
        )
    return found


def _of_starlette(error: HTTPException, method: str) -> Refusal:
    """What the routes refuse: a path or a method that is not there."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return Refusal(405, f"{method} is not possible here; use {allowed}", headers=error.headers)
    return Refusal(error.status_code, "nothing is here; GET /openapi.json lists what is")


class _Answer:
    """Sends an answer with the headers that all have, and remembers its status."""

    def __init__(self, send: Send, identity: str) -> None:
        self._send, self.identity, self.status = send, identity, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            self._complete(message)
        await self._send(message)

    def _complete(self, message: MutableMapping[str, Any]) -> None:
        own = message["headers"]
        names = {name for name, _ in own}
        own += [header for header in _ENCODED if header[0] not in names]
        own.append((b"x-request-id", self.identity.encode()))

    async def refuse(self, refusal: Refusal) -> None:
        """Send why a request is not served."""
        if self.status:
            return
        body = to_json(refusal.to_dict(self.identity)).encode()
        headers = {**refusal.headers, "Content-Type": "application/json", "Content-Length": str(len(body))}
        if refusal.status in _UNREAD or refusal.status in (408, 413):
            headers["Connection"] = "close"
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await self({"type": "http.response.body", "body": body})
