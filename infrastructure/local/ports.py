"""Loopback ports: the last run's if they are still free, else any free one."""

import json
import socket
from pathlib import Path


class PortTaken(RuntimeError):
    """A port that was asked for is in use."""


def listen(port: int) -> socket.socket:
    """A listening loopback socket; port 0 takes any. It outlives the servers behind it: while one is being
    restarted, callers wait in its queue instead of being refused."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"port {port} is in use ({error.strerror}); choose another with --port") from error
    listener.listen(256)
    return listener


def listen_as_before(port: int | None) -> socket.socket:
    """On the remembered port where it is free, else on any."""
    try:
        return listen(port or 0)
    except PortTaken:
        return listen(0)


def free(port: int | None) -> int:
    """The remembered port if it is free, else any free one."""
    with listen_as_before(port) as probe:
        return int(probe.getsockname()[1])


def remembered(path: Path) -> dict[str, int]:
    """Ports of the last run by name."""
    if not path.exists():
        return {}
    return {str(name): int(port) for name, port in json.loads(path.read_text()).items()}
