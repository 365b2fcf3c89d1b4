"""The fork server: imports every handler once, then forks a process for each function that is called.

Handlers are imported with the environment that all functions share (nothing may need more at import time); a forked
process then gets exactly its function's own. It talks to the host over a SEQPACKET socket: `{"fork": name}` with the
child's end of a socket pair answers `{"pid": …}`; closing the socket retires it: it waits for its children and ends.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from infrastructure.local import parent_guard
from infrastructure.local.host import runtime
from infrastructure.local.host.functions import Function, load

_THIRD_PARTY = ("boto3", "botocore.endpoint", "botocore.httpsession", "pydantic")
"""What nearly every handler needs, so that a failing handler import does not leave it out."""


class Zygote:
    """State of the fork server: what is imported, and each folder's own top-level modules."""

    def __init__(self, functions: dict[str, Function], layers: list[str], settings: dict[str, Any]) -> None:
        self.functions = functions
        self._settings = settings
        self._waiting = sorted(functions)
        self._modules: dict[str, dict[str, ModuleType]] = {}
        self._loaded: dict[str, Any] = {}
        sys.path[:0] = layers
        os.environ.clear()
        os.environ.update(_shared(functions))
        os.environ.update(settings["base"])
        for name in _THIRD_PARTY:
            importlib.import_module(name)

    def import_next(self) -> bool:
        """Import one more handler; False when all are in."""
        if not self._waiting:
            return False
        self._import(self._waiting.pop(0))
        if not self._waiting:
            # Pages that the collector never touches stay shared with the children.
            gc.collect()
            gc.freeze()
        return True

    def _import(self, name: str) -> None:
        if name in self._loaded:
            return
        function = self.functions[name]
        mine = self._modules.setdefault(function.folder, {})
        before = dict(sys.modules)
        sys.modules.update(mine)
        sys.path.insert(0, function.folder)
        importlib.invalidate_caches()
        module, _, attribute = function.handler.rpartition(".")
        try:
            self._loaded[name] = getattr(importlib.import_module(module.replace("/", ".")), attribute)
        except BaseException as error:  # noqa: BLE001 - whatever a handler's import raises is its function's error
            self._loaded[name] = runtime.ImportFailed(type(error).__name__, str(error), traceback.format_exc())
        finally:
            sys.path.remove(function.folder)
            # Two folders may hold a module of the same name: each sees only its own.
            for key in [k for k in sys.modules if k not in before or k in mine]:
                if _lies_in(sys.modules[key], function.folder):
                    mine[key] = sys.modules.pop(key)

    def fork(self, name: str, channel: socket.socket) -> int:
        """Fork the process of one function; returns its pid in the parent, never returns in the child."""
        self._import(name)
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        parent_guard.hold(signal.SIGKILL, parent)
        # The control socket above all: the host learns of the fork server's death by its end.
        kept = os.dup2(channel.fileno(), 3, inheritable=False)
        os.closerange(4, 4096)
        channel = socket.socket(fileno=kept)
        function = self.functions[name]
        sys.modules.update(self._modules[function.folder])
        sys.path.insert(0, function.folder)
        runtime.serve(function, self._loaded[name], channel, self._settings)
        os._exit(0)


def _lies_in(module: ModuleType, folder: str) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and str(file).startswith(folder.rstrip("/") + "/")


def _shared(functions: dict[str, Function]) -> dict[str, str]:
    """The variables that all functions have with one value."""
    every = [function.environment for function in functions.values()]
    if not every:
        return {}
    return {k: v for k, v in every[0].items() if all(other.get(k) == v for other in every)}


def main() -> None:
    fd, functions_file, settings_file = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    parent_guard.hold(signal.SIGKILL, int(sys.argv[4]))
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(settings_file.read_text())
    deployed = load(functions_file)
    control = socket.socket(fileno=fd)
    zygote = Zygote(deployed.functions, settings["layers"], settings)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wake_read, selectors.EVENT_READ)
    more = True
    retired = False
    while not (retired and not children):
        ready = {key.fileobj for key, _ in selector.select(0 if more and not retired else None)}
        if wake_read in ready:
            os.read(wake_read, 4096)
        _reap(children)
        if control in ready:
            if not _answer(control, zygote, children):
                selector.unregister(control)
                retired = True
        elif more and not retired:
            more = zygote.import_next()


def _answer(control: socket.socket, zygote: Zygote, children: set[int]) -> bool:
    message, fds, _, _ = socket.recv_fds(control, 65536, 1)
    if not message:
        return False
    with socket.socket(fileno=fds[0]) as channel:
        pid = zygote.fork(json.loads(message)["fork"], channel)
    children.add(pid)
    control.send(json.dumps({"pid": pid}).encode())
    return True


def _reap(children: set[int]) -> None:
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0]:
            children.discard(pid)


if __name__ == "__main__":
    main()
