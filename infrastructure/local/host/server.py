"""The one port: hands each request to the part of the site that owns its path."""

from infrastructure.local import serving
from infrastructure.local.host.delivery import answer_headers
from infrastructure.local.host.gateway import Request, Response
from infrastructure.local.host.site import Site

_CHUNK = 64 * 1024


class Server(serving.Server):
    """`site` may be replaced at any time."""

    def __init__(self, descriptor: int, site: Site) -> None:
        super().__init__(descriptor, Handler)
        self.site = site


class Handler(serving.Handler):
    """One connection."""

    server: Server

    def answer(self) -> None:
        """Read a request and answer it."""
        path, _, query = self.path.partition("?")
        address = str(self.client_address[0])
        request = Request(
            self.command, path, query, list(self.headers.items()), self.body(), address, self.request_version
        )
        site = self.server.site
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

    def _send(self, response: Response) -> None:
        self.send(response.status, response.headers, response.body)

    def _asset(self, site: Site, request: Request) -> None:
        """Stream the object: a model may be larger than this process should become."""
        refused = site.refuse_asset(request)
        if refused is not None:
            self._send(refused)
            return
        key = request.path.removeprefix("/")
        with site.origin.open(request.method, key, request.query, request.headers) as answer:
            self.send_response_only(answer.status)
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
