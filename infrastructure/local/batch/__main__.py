"""Local Batch's process: `python -m infrastructure.local.batch <settings.json> <listening fd> <parent pid>`."""

import json
import sys
import threading
from pathlib import Path
from typing import Any

from infrastructure.local import serving
from infrastructure.local.batch.api import Api, ClientException
from infrastructure.local.batch.engine import Engine, Limits
from infrastructure.local.batch.events import StateChanges
from infrastructure.local.batch.process import Worker


class _Handler(serving.Handler):
    server: "_Server"

    def answer(self) -> None:
        body = self.body()
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
        headers = [("content-type", "application/json")]
        if error:
            headers.append(("x-amzn-errortype", error))
        self.send(status, headers, json.dumps(body).encode())


class _Server(serving.Server):
    def __init__(self, descriptor: int, api: Api) -> None:
        super().__init__(descriptor, _Handler)
        self.api = api


def main() -> None:
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(settings["folder"])
    worker = Worker(settings["pythons"], settings["base"], settings["forced"], folder, Path(settings["logs"]))
    changes = StateChanges(settings["emulator"])
    engine = Engine(folder / "state.json", worker, Limits(**settings["limits"]), changes.tell)
    server = _Server(int(sys.argv[2]), Api(engine))
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    engine.run()
    changes.close()


if __name__ == "__main__":
    main()
