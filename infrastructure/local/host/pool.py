"""The function processes: forked on demand, one invocation at a time each, killed at their Timeout."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.host import wire
from infrastructure.local.host.functions import Function

MAX_IDLE = 8
IDLE_SECONDS = 300.0
MAX_BUSY = 32
"""Processes that run at once; more invocations wait."""


@dataclass
class Answer:
    """What an invocation gave: JSON bytes. `ok` is False for a function error, whose body names errorType."""

    ok: bool
    body: bytes


@dataclass
class _Child:
    function: str
    pid: int
    channel: socket.socket
    generation: int
    idle_since: float = 0.0
    """Monotonic."""

    def dead(self) -> bool:
        """Between two invocations a child says nothing: anything readable is its end."""
        return bool(select.select([self.channel], [], [], 0)[0])


class Pool:
    """All function processes of one host. `start_zygote` and `watch` belong to the main thread (see parent_guard)."""

    def __init__(self, functions: dict[str, Function], functions_file: Path, settings_file: Path) -> None:
        self._functions = functions
        self._argv = [str(functions_file), str(settings_file), str(os.getpid())]
        self._lock = threading.Lock()
        self._fork_lock = threading.Lock()
        self._up = threading.Event()
        self._busy = threading.BoundedSemaphore(MAX_BUSY)
        self._idle: OrderedDict[int, _Child] = OrderedDict()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._retired: list[subprocess.Popen[bytes]] = []
        self._generation = 0

    @property
    def zygote_pid(self) -> int | None:
        return self._zygote.pid if self._zygote else None

    def replace_zygote(self, functions: dict[str, Function]) -> None:
        """Start a new fork server. The old one's running children finish; its idle ones end now."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "infrastructure.local.host.zygote", str(theirs.fileno()), *self._argv]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        with self._fork_lock, self._lock:
            old, self._zygote = self._zygote, process
            if self._control is not None:
                self._control.close()
            self._control = ours
            self._functions = functions
            self._generation += 1
            idle, self._idle = list(self._idle.values()), OrderedDict()
        self._up.set()
        for child in idle:
            child.channel.close()
        if old is not None:
            self._retired.append(old)

    def watch(self) -> bool:
        """Reap retired fork servers; whether the present one has died."""
        self._retired = [process for process in self._retired if process.poll() is None]
        died = self._zygote is not None and self._zygote.poll() is not None
        if died:
            self._up.clear()
        return died

    def expire(self) -> None:
        """End what has been idle for long: memory that nobody needs now."""
        limit = time.monotonic() - IDLE_SECONDS
        with self._lock:
            old = [child for child in self._idle.values() if child.idle_since < limit]
            for child in old:
                del self._idle[child.pid]
        for child in old:
            child.channel.close()

    def close(self) -> None:
        """End every function process."""
        with self._fork_lock, self._lock:
            if self._control is not None:
                self._control.close()
            for child in self._idle.values():
                child.channel.close()
            self._idle.clear()
        for process in [*self._retired, *([self._zygote] if self._zygote else [])]:
            process.kill()
            process.wait()

    def invoke(self, name: str, event: bytes, request_id: str | None = None, trace: str = "") -> Answer:
        """Run one invocation to its end or its Timeout, on a process of its own. KeyError for an unknown function."""
        function = self._functions[name]
        request = request_id or str(uuid.uuid4())
        with self._busy:
            child = self._acquire(name)
            head = {"request_id": request, "deadline": time.time() + function.timeout, "trace": trace}
            child.channel.settimeout(function.timeout)
            try:
                wire.send(child.channel, head, event)
                answer_head, body = wire.receive(child.channel)
            except TimeoutError:
                _kill(child)
                message = f"{request} Task timed out after {function.timeout:.2f} seconds"
                return _failed("Sandbox.Timedout", message)
            except (wire.Gone, OSError):
                _kill(child)
                return _failed("Runtime.ExitError", f"RequestId: {request} Error: Runtime exited")
            self._release(child)
            return Answer(answer_head["ok"], body)

    def _acquire(self, name: str) -> _Child:
        while True:
            with self._lock:
                child = next((c for c in reversed(self._idle.values()) if c.function == name), None)
                if child is not None:
                    del self._idle[child.pid]
            if child is None:
                return self._fork(name)
            if not child.dead():
                return child
            child.channel.close()

    def _fork(self, name: str) -> _Child:
        for _ in range(3):
            self._up.wait()
            ours, theirs = socket.socketpair()
            with theirs, self._fork_lock:
                control, generation = self._control, self._generation
                assert control is not None
                try:
                    socket.send_fds(control, [json.dumps({"fork": name}).encode()], [theirs.fileno()])
                    reply = control.recv(65536)
                except OSError:
                    reply = b""
            if reply:
                return _Child(name, json.loads(reply)["pid"], ours, generation)
            # The fork server died under us; the main thread starts another.
            ours.close()
            time.sleep(0.2)
        raise RuntimeError("the fork server does not come up; see functions-host.log")

    def _release(self, child: _Child) -> None:
        evicted: _Child | None = None
        with self._lock:
            if child.generation != self._generation:
                evicted = child
            else:
                child.idle_since = time.monotonic()
                self._idle[child.pid] = child
                if len(self._idle) > MAX_IDLE:
                    evicted = self._idle.popitem(last=False)[1]
        if evicted is not None:
            evicted.channel.close()


def _kill(child: _Child) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    child.channel.close()


def _failed(kind: str, message: str) -> Answer:
    return Answer(False, json.dumps({"errorType": kind, "errorMessage": message}).encode())
