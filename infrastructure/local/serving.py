"""What our three HTTP servers share: HTTP/1.1, kept connections, a listening socket that the region holds open."""

import socket
import socketserver
import sys
import threading
import time
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
    server: "Server"

    def handle_one_request(self) -> None:
        """As the base class, telling the server when a request is in hand."""
        try:
            super().handle_one_request()
        finally:
            self.server.idle(self.connection)
        if self.server.draining:
            self.close_connection = True

    def parse_request(self) -> bool:
        """Called once the first line of a request is there."""
        self.server.busy(self.connection)
        return super().parse_request()

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
        self.draining = False
        self._in_hand: set[Any] = set()
        self._changed = threading.Condition()

    def busy(self, connection: Any) -> None:
        """A connection that is new, or has a request, is not to be cut off."""
        with self._changed:
            self._in_hand.add(connection)

    def idle(self, connection: Any) -> None:
        """A kept connection waits for its next request, or has ended."""
        with self._changed:
            self._in_hand.discard(connection)
            self._changed.notify_all()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A new connection: its first request may be under way."""
        self.busy(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A connection has ended."""
        self.idle(request)
        super().shutdown_request(request)

    def drain(self, seconds: float) -> None:
        """Take no new connections (they wait at the socket for the next process) and finish what is in hand."""
        self.draining = True
        self.shutdown()
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._in_hand and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news; anything else goes to the log with its trace."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
