"""Local Batch's process: `python -m infrastructure.local.batch <settings.json> <listening fd> <parent pid>`."""

import json
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from infrastructure.local.batch.api import Api, ClientException
from infrastructure.local.batch.engine import Engine, Limits
from infrastructure.local.batch.news import News
from infrastructure.local.batch.process import Worker


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: "_Server"

    def log_message(self, format: str, *args: object) -> None:
        """No access log."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            answer = self.server.api.call(self.path, json.loads(body or b"{}"))
        except ClientException as error:
            self._answer(400, {"message": str(error)}, "ClientException")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._answer(400, {"message": f"malformed request: {error!r}"}, "ClientException")
        else:
            if answer is None:
                self._answer(404, {"message": f"{self.path} is not spoken here"}, "UnknownOperationException")
            else:
                self._answer(200, answer)

    def _answer(self, status: int, body: dict[str, Any], error: str | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if error:
            self.send_header("x-amzn-errortype", error)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, api: Api) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.api = api


def main() -> None:
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(settings["folder"])
    worker = Worker(settings["pythons"], settings["base"], settings["forced"], folder, Path(settings["logs"]))
    news = News(settings["emulator"])
    engine = Engine(folder / "state.json", worker, Limits(**settings["limits"]), news.tell)
    server = _Server(socket.socket(fileno=int(sys.argv[2])), Api(engine))
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    engine.run()
    news.close()


if __name__ == "__main__":
    main()
