"""MiniStack as a child process: clean environment, loopback, state that outlives a clean stop."""

import http.client
import json
import shutil
import signal
import time
from dataclasses import dataclass

from infrastructure.local.paths import ACCOUNT, REGION, State, venv_python
from infrastructure.local.service import Service

STOP_GRACE = 30.0
"""Seconds to write the state; a hundred thousand rows take about one."""


class EmulatorFailed(RuntimeError):
    """MiniStack did not start, or ended by itself."""


@dataclass
class Emulator:
    """MiniStack on `port`. `lost_state` says that the run before was killed, so that this one starts empty."""

    state: State
    port: int
    lost_state: bool = False

    def __post_init__(self) -> None:
        self._running = self.state.emulator / "running"
        self.service = Service(
            "emulator",
            [str(venv_python("ministack")), "-m", "ministack"],
            self._environment(),
            self.state.logs / "emulator.log",
            cwd=self.state.emulator,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _environment(self) -> dict[str, str]:
        folder = self.state.emulator
        scratch = folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folder / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "s3"),
            "LOG_LEVEL": "WARNING",
        }

    def start(self, timeout: float = 60.0) -> None:
        """Start and wait until it answers. After a kill the half-old state is thrown away first: objects on
        disk without their rows would be worse than nothing."""
        if self._running.exists():
            self.lost_state = True
            for folder in ("state", "s3"):
                shutil.rmtree(self.state.emulator / folder, ignore_errors=True)
        self._forget_stream_positions()
        self._running.touch()
        self.service.start()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if (code := self.service.exit_code()) is not None:
                raise EmulatorFailed(f"MiniStack ended at its start (exit {code}):\n{self.service.tail()}")
            if self._answers():
                return
            time.sleep(0.05)
        raise EmulatorFailed(f"MiniStack did not answer within {timeout:.0f} s:\n{self.service.tail()}")

    def _forget_stream_positions(self) -> None:
        """MiniStack 1.5.33 keeps how far its consumers have read the DynamoDB streams, but not the streams: after a
        restart they would skip as many new records. Without a position they begin at the (new) stream's beginning.
        """
        file = self.state.emulator / "state" / "lambda.json"
        if not file.exists():
            return
        saved = json.loads(file.read_text())
        saved["payload"]["dynamodb_stream_positions"]["data"] = {}
        file.write_text(json.dumps(saved))

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """A clean stop writes the state. A stop that had to kill leaves the mark of a lost state."""
        code = self.service.stop(STOP_GRACE)
        if code is not None and code in (0, -signal.SIGTERM):
            self._running.unlink(missing_ok=True)
