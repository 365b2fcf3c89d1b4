"""The local region: one object that starts, watches and stops everything.

with Region(state_dir) as region:
    region.client("dynamodb"), region.api_url, region.mail() …
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from infrastructure.local import loopback, ports, settings, weights
from infrastructure.local.batch.engine import Limits
from infrastructure.local.emulator import Emulator, EmulatorFailed
from infrastructure.local.keys import delivery_key
from infrastructure.local.paths import ACCOUNT, REGION, REPO, STAGE, Missing, State, venv_python
from infrastructure.local.service import Service
from infrastructure.local.stacks import roots

MAIL_DOMAIN = "snapforge.example"


class InUse(RuntimeError):
    """Another region holds the state folder."""


class RegionFailed(RuntimeError):
    """A part could not be started; the message holds the end of its log."""


@dataclass(frozen=True)
class Options:
    """How a region is run."""

    port: int | None = None
    """Of the site; None takes the last run's, or a free one."""
    reload: bool = False
    """Take changed handlers without a restart."""
    watched: Sequence[Path] = (REPO / "functions", REPO / "layers" / "core")
    record_calls: bool = False
    """Send every AWS call of functions and jobs through the recorder. Costs about a millisecond a call."""
    roots: Sequence[Path] = ()
    """Root templates in order; empty is the repository's own."""
    slots: int = 1
    """Batch jobs that run at once; a warm image worker beside them takes none."""
    stop_grace: float = 10.0
    shortest_timeout: int = 60
    workers: dict[str, str] = field(default_factory=dict)
    """Interpreter by worker name; empty is `.venvs/image` and `.venvs/scene`, those that are there."""
    demo_weights: bool = True
    """Draw with the repository's demo model where WEIGHTS_URI is not set."""
    weights: Path | None = None
    """Where the demo model is linked; None is within the state folder."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Template parameters that win over the region's own."""
    job_environment: dict[str, str] = field(default_factory=dict)
    """More variables for every Batch job."""


class Region:
    """A whole region on this machine. Start it from a thread that outlives it."""

    def __init__(self, state_dir: Path, options: Options | None = None) -> None:
        self.state = State(Path(state_dir).resolve())
        self.options = options or Options()
        self.notes: list[str] = []
        """What a person should know about this start."""
        self._lock_file: IO[str] | None = None
        self._stopping = threading.Event()
        self._failure: str | None = None
        self._clients: dict[str, Any] = {}

    # --- addresses -------------------------------------------------------------------------------------------------

    @property
    def state_dir(self) -> Path:
        return self.state.root

    @property
    def api_url(self) -> str:
        """Origin of API, web app, assets and mailbox."""
        return f"http://127.0.0.1:{self._site.getsockname()[1]}"

    @property
    def batch_url(self) -> str:
        return f"http://127.0.0.1:{self._batch_listener.getsockname()[1]}"

    @property
    def emulator_url(self) -> str:
        return self.emulator.url

    def client(self, service: str) -> Any:
        """A boto3 client of this region, one per service; closed at stop."""
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            endpoint = self.batch_url if service == "batch" else self.emulator_url
            session = boto3.Session("local", "local", region_name=REGION)
            make: Any = session.client
            self._clients[service] = make(service, endpoint_url=endpoint, config=Config(proxies={}))
        return self._clients[service]

    def environment(self) -> dict[str, str]:
        """Variables that point any AWS SDK or the CLI at this region."""
        return {
            "AWS_ENDPOINT_URL": self.emulator_url,
            "AWS_ENDPOINT_URL_BATCH": self.batch_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }

    def mail(self) -> list[dict[str, Any]]:
        """What SES was given, newest first: id, at, from, to, subject, text, html."""
        items: list[dict[str, Any]] = loopback.get_json(f"{self.api_url}/_mail.json")
        return items

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke a deployed function by its name without the `snapforge-<stage>-` prefix, or by its full name."""
        name = function if function.startswith("snapforge-") else f"snapforge-{STAGE}-{function}"
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise RuntimeError(f"{name}: {payload}")
        return payload

    def calls(self) -> list[dict[str, Any]]:
        """What the recorder saw: function, service, action, resource, status. Empty unless `record_calls`."""
        if not self.state.calls.exists():
            return []
        return [json.loads(line) for line in self.state.calls.read_text().splitlines()]

    # --- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Region":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bring everything up. Raises InUse, Missing, PortTaken, EmulatorFailed or RegionFailed, with nothing left."""
        self.state.make()
        self._lock()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        before = ports.remembered(self.state.ports)
        chosen = self.options.port
        self._site = ports.listen(chosen) if chosen else ports.listen_as_before(before.get("site"))
        self._batch_listener = ports.listen_as_before(before.get("batch"))
        self._recorder_listener = ports.listen_as_before(before.get("recorder"))
        self.emulator = Emulator(self.state, ports.free(before.get("emulator")))
        self._remember_ports()
        self.emulator.start()
        if self.emulator.lost_state:
            self.notes.append("The emulator was killed in the last run: its state is lost, it starts empty.")
            for folder in (self.state.batch, self.state.root / "asynchronous"):
                shutil.rmtree(folder, ignore_errors=True)
            self.state.make()
            for file in (self.state.deployed, self.state.functions):
                file.unlink(missing_ok=True)
        self.weights, note = self._weights()
        self.notes.append(note)
        self._write_settings()
        self.batch = self._service("batch", self._batch_listener)
        self.recorder = self._service("recorder", self._recorder_listener)
        self.functions_host = self._service("host", self._site)
        self.batch.start()
        if self.options.record_calls:
            self.state.calls.unlink(missing_ok=True)
            self.recorder.start()
        self.deploy()
        self.functions_host.start()
        self._await_site()
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def stop(self) -> None:
        """Stop everything in the order of who calls whom, saving the emulator's state last."""
        self._stopping.set()
        while self._clients:
            self._clients.popitem()[1].close()
        for name in ("functions_host", "batch", "recorder"):
            if (service := getattr(self, name, None)) is not None:
                service.stop(grace=self.options.stop_grace + 5)
        if hasattr(self, "emulator"):
            self.emulator.stop()
        for name in ("_site", "_batch_listener", "_recorder_listener"):
            if (listener := getattr(self, name, None)) is not None:
                listener.close()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def failure(self) -> str | None:
        """Why the region is beyond help; None while it is well."""
        return self._failure

    def restart_emulator(self) -> None:
        """Stop the emulator cleanly and start it on its state, on the same port."""
        self.emulator.stop()
        self.emulator.start()

    def restart_functions_host(self) -> None:
        """Stop the functions host and start it again. What it has in hand is finished for four seconds; new callers
        wait at the open socket meanwhile.
        """
        self.functions_host.stop(grace=8)
        self.functions_host.start()
        self._await_site()

    def restart_batch(self) -> None:
        """As if the machine under local Batch went away and came back: running attempts are lost."""
        self.batch.stop(grace=self.options.stop_grace + 5)
        self.batch.start()

    # --- parts -----------------------------------------------------------------------------------------------------

    def _lock(self) -> None:
        file = (self.state.root / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise InUse(
                f"the state folder {self.state.root} is in use by a region that runs already ({holder})"
            ) from None
        file.truncate(0)
        file.write(f"pid {os.getpid()}")
        file.flush()
        self._lock_file = file

    def _remember_ports(self) -> None:
        listeners = {"site": self._site, "batch": self._batch_listener, "recorder": self._recorder_listener}
        chosen = {name: listener.getsockname()[1] for name, listener in listeners.items()}
        self.state.ports.write_text(json.dumps({**chosen, "emulator": self.emulator.port}))

    def _weights(self) -> tuple[str | None, str]:
        if not self.options.demo_weights and "WEIGHTS_URI" not in os.environ:
            return None, "no weights: the demo model was not asked for"
        return weights.weights_uri(self.options.weights or self.state.weights)

    def _workers(self) -> dict[str, str]:
        if self.options.workers:
            return self.options.workers
        found = {}
        for name in ("image", "scene"):
            try:
                found[name] = str(venv_python(name))
            except Missing as error:
                self.notes.append(f"{name} jobs cannot run: {error}")
        return found

    def _write_settings(self) -> None:
        key = delivery_key(self.state.delivery_key)
        self._delivery = asdict(key)
        recorder = f"http://127.0.0.1:{self._recorder_listener.getsockname()[1]}"
        addresses = settings.Addresses(
            site=self.api_url,
            emulator=self.emulator_url,
            batch=self.batch_url,
            recorder=recorder if self.options.record_calls else None,
        )
        options = self.options
        written = {
            "host": settings.for_host(self.state, addresses, key, options.watched if options.reload else ()),
            "batch": settings.for_batch(
                self.state,
                addresses,
                self._workers(),
                {"WEIGHTS_URI": self.weights} if self.weights else {},
                options.job_environment,
                Limits(
                    options.slots,
                    {f"snapforge-{STAGE}-images": int(self._parameters()["MaxImageWorkers"])},
                    options.stop_grace,
                    options.shortest_timeout,
                ),
            ),
            "recorder": {"emulator": self.emulator_url, "batch": self.batch_url, "calls": str(self.state.calls)},
        }
        for name, content in written.items():
            (self.state.root / f"{name}.json").write_text(json.dumps(content, indent=1))

    def _service(self, name: str, listener: Any) -> Service:
        module = {
            "host": "infrastructure.local.host",
            "batch": "infrastructure.local.batch",
            "recorder": "infrastructure.local.recorder",
        }[name]
        file = self.state.root / f"{name}.json"
        command = [sys.executable, "-m", module, str(file), str(listener.fileno()), str(os.getpid())]
        log = self.state.logs / ("functions-host.log" if name == "host" else f"{name}.log")
        return Service(name, command, _own_environment(), log, fds=[listener.fileno()], cwd=REPO)

    def deploy(self) -> bool:
        """Bring the stacks to what the templates say; False if they stood already. RegionFailed with the reason.
        A running functions host takes the change a moment later.
        """
        from infrastructure.local.stacks import fingerprint

        roots_ = list(self.options.roots) or roots.present()
        wanted = {
            "emulator": self.emulator_url,
            "batch": self.batch_url,
            "roots": [str(root) for root in roots_],
            "parameters": {**self._parameters(), **self.options.parameters},
            "invoke_url": f"{self.api_url}/invoke",
            "functions": str(self.state.functions),
            "deployed": str(self.state.deployed),
            "assets_bucket": f"snapforge-{STAGE}-assets-{ACCOUNT}",
            "secret_prefix": f"snapforge/{STAGE}/",
            "delivery": self._delivery,
            "senders": [MAIL_DOMAIN],
        }
        now = fingerprint.of(roots_, wanted)
        if self.state.functions.exists() and fingerprint.stands(self.state.deployed, now):
            return False
        file = self.state.root / "deploy.json"
        file.write_text(json.dumps({**wanted, "fingerprint": now}))
        command = [sys.executable, "-m", "infrastructure.local.stacks.deploy", str(file)]
        done = subprocess.run(command, env=_own_environment(), cwd=REPO, capture_output=True, text=True, check=False)
        (self.state.logs / "deploy.log").write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            raise RegionFailed((done.stderr or done.stdout).strip()[-4000:])
        if self.functions_host.running:
            os.kill(self.functions_host.pid, signal.SIGHUP)
        return True

    def _parameters(self) -> dict[str, str]:
        return {
            "Stage": STAGE,
            "WebOrigin": self.api_url,
            "PublicUrl": self.api_url,
            "DeliveryUrl": self.api_url,
            "OriginSecret": "origin",
            "MailDomain": MAIL_DOMAIN,
            "MailFrom": f"Snapforge <hello@{MAIL_DOMAIN}>",
            "WeightsUri": self.weights or "",
            "ImageModels": weights.image_models(),
            "ReleaseSha": "0" * 40,
            "MaxImageWorkers": "1",
            # A loaded model weighs on a small machine.
            "ImageIdleSeconds": "30",
        }

    def _await_site(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                loopback.get_json(f"{self.api_url}/_mail.json")
                return
            except OSError:
                if self.functions_host.exit_code() is not None:
                    break
                time.sleep(0.05)
        raise RegionFailed(f"the functions host does not answer:\n{self.functions_host.tail()}")

    def _watch(self) -> None:
        """Bring back what was killed. The emulator is beyond help: its memory went with it."""
        while not self._stopping.wait(0.1):
            for service in (self.functions_host, self.batch, self.recorder):
                service.revive()
            if not self.emulator.service.stopping and (code := self.emulator.service.exit_code()) is not None:
                words = signal.strsignal(-code) if code < 0 else f"exit {code}"
                self._failure = (
                    f"the emulator ended ({words}); what it held since the last clean stop is lost:\n"
                    f"{self.emulator.service.tail()}"
                )
                return


def _own_environment() -> dict[str, str]:
    """For our own processes: no proxies and no AWS settings of the person who started them."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = f"{REPO}:{REPO / 'layers' / 'core'}"
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **kept, "PYTHONPATH": path}


__all__ = ["EmulatorFailed", "InUse", "Missing", "Options", "Region", "RegionFailed"]
