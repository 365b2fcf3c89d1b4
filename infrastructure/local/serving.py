"""What our three HTTP servers share: HTTP/1.1, kept connections, a listening socket that the region holds open."""

import socket
import socketserver
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any

_BODILESS = (204, 304)


class Handler(BaseHTTPRequestHandler):
    """One connection; every method of HTTP goes to `answer`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120

    def answer(self) -> None:
        """Read one request and answer it."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """No access log: what functions and jobs print is what is read here."""

    def body(self) -> bytes:
        """The request's whole body, chunked or not."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def send(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, length: str | None = None) -> None:
        """A whole answer. `length` is what a HEAD request is told, where it is not the body's own."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if status not in _BODILESS:
            self.send_header("content-length", length or str(len(body)))
        self.end_headers()
        if status not in _BODILESS and self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread a connection."""

    daemon_threads = True

    def __init__(self, descriptor: int, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=descriptor)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news; anything else goes to the log with its trace."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
