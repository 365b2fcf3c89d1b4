"""The socket side of the host: HTTP/1.1 on a listening socket that the region keeps open across restarts."""

import socket
import socketserver
from http.server import BaseHTTPRequestHandler
from typing import Any

from infrastructure.local.host.delivery import answer_headers
from infrastructure.local.host.gateway import Request, Response
from infrastructure.local.host.site import Site

_CHUNK = 64 * 1024


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread a connection. `site` may be replaced at any time."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.site = site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that hung up is no news; anything else goes to the log with its trace."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Function logs are what is read here; an access log would only cost."""

    def _serve(self) -> None:
        request = self._read()
        site = self.server.site
        path = request.path
        if path == "/invoke" and request.method == "POST":
            self._send(site.invoke(request))
        elif path == "/v1" or path.startswith("/v1/"):
            self._send(site.api(request))
        elif path.startswith("/assets/"):
            self._asset(site, request)
        elif path.startswith("/_url/"):
            self._send(site.function_url(request))
        elif path == "/_mail" or path.startswith(("/_mail/", "/_mail.")):
            self._send(site.mail(path))
        else:
            self._send(site.other(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _read(self) -> Request:
        path, _, query = self.path.partition("?")
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
        address = str(self.client_address[0])
        return Request(self.command, path, query, list(self.headers.items()), body, address, self.request_version)

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        bodiless = response.status in (204, 304) or response.status < 200
        for name, value in response.headers:
            if name != "content-length":
                self.send_header(name, value)
        if not bodiless:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def _asset(self, site: Site, request: Request) -> None:
        if request.method not in ("GET", "HEAD"):
            self._send(
                Response(403, [("content-type", "text/plain")], b"This distribution only supports GET and HEAD\n")
            )
            return
        refused = site.check_signature(request)
        if refused is not None:
            self._send(refused)
            return
        key = request.path.removeprefix("/")  # CloudFront passes the path on as it is: keys begin with assets/
        with site.origin.open(request.method, key, request.query, request.headers) as answer:
            self.send_response(answer.status)
            for name, value in answer_headers(answer):
                self.send_header(name, value)
            if answer.getheader("content-length") is None:
                self.send_header("connection", "close")
                self.close_connection = True
            self.end_headers()
            if request.method == "GET":
                while part := answer.read(_CHUNK):
                    self.wfile.write(part)
            self.wfile.flush()
