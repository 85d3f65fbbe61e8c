"""Show one page on this machine."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def make_server(page: bytes, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of one page, on this machine alone; ``serve_forever`` starts it.

    :param page: the HTML.
    :param port: 0 takes a free one, then found in ``server_port``.
    :raises OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Another name that leads here is a page of somebody else's that wants to read this one.
            own = self.headers.get("Host", "") in hosts
            found = own and self.path.split("?")[0] == "/"
            body = page if found else b"only / is here" if own else b"ask for 127.0.0.1"
            self.send_response(200 if found else 404 if own else 421)
            self.send_header("Content-Type", "text/html; charset=utf-8" if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the terminal for the address."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    hosts = {f"{name}:{server.server_port}" for name in ("127.0.0.1", "localhost")}
    return server
