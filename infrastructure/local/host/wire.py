"""Frames between the host and one function process: length, then bytes."""

import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct(">I")


class Gone(ConnectionError):
    """The other end closed before a whole frame came."""


def send(channel: socket.socket, head: dict[str, Any], body: bytes) -> None:
    """One frame: a small JSON head and opaque bytes."""
    meta = json.dumps(head).encode()
    channel.sendall(_LENGTH.pack(len(meta)) + meta + _LENGTH.pack(len(body)) + body)


def receive(channel: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next frame. Raises Gone at the end of the stream, TimeoutError by the socket's own timeout."""
    head = json.loads(_exactly(channel, _LENGTH.unpack(_exactly(channel, 4))[0]))
    return head, _exactly(channel, _LENGTH.unpack(_exactly(channel, 4))[0])


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = channel.recv(min(count, 1 << 20))
        if not part:
            raise Gone
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
