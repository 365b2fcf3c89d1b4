"""The functions host's process: `python -m infrastructure.local.host <settings.json> <listening fd> <parent pid>`.

SIGHUP reads the deployed functions anew and replaces the fork server; SIGTERM ends it.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from infrastructure.local.host import aws
from infrastructure.local.host.asynchronous import AsynchronousInvocations
from infrastructure.local.host.delivery import SignedUrls
from infrastructure.local.host.functions import load
from infrastructure.local.host.pool import Pool
from infrastructure.local.host.server import Server
from infrastructure.local.host.site import Site
from infrastructure.local.host.tasks import TokenTasks

_DRAIN_SECONDS = 4.0
_LOOK_SECONDS = 30.0
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


def main() -> None:
    settings_file, fd = Path(sys.argv[1]), int(sys.argv[2])
    # Blocked in every thread, so that this one receives them all; child processes unblock theirs.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    settings: dict[str, Any] = json.loads(settings_file.read_text())
    functions_file = Path(settings["functions"])
    deployed = load(functions_file)
    pool = Pool(deployed.functions, functions_file, settings_file)
    pool.replace_zygote(deployed.functions)

    tasks = TokenTasks(Path(settings["tasks"]), settings["emulator"])

    def site() -> Site:
        now = load(functions_file)
        give_up = aws.give_up(settings["emulator"])
        waiting = AsynchronousInvocations(Path(settings["asynchronous"]), now.functions, pool.invoke, give_up)
        return Site(
            now, pool, settings["domain"], settings["emulator"], _signed_urls(settings), give_up, waiting, tasks
        )

    server = Server(fd, site())
    server.site.asynchronous.recover()
    tasks.recover()
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    if settings["watched"]:
        threading.Thread(target=_watch, args=(settings["watched"],), name="watch", daemon=True).start()
    _serve(server, pool, site)
    server.drain(_DRAIN_SECONDS)
    pool.close()


def _serve(server: Server, pool: Pool, site: Callable[[], Site]) -> None:
    """Until SIGTERM: on SIGHUP take what was deployed or changed, on SIGCHLD look after the fork server."""
    while True:
        received = signal.sigtimedwait(_SIGNALS, _LOOK_SECONDS)
        if received is None:
            pool.expire()
        elif received.si_signo in (signal.SIGTERM, signal.SIGINT):
            return
        elif received.si_signo == signal.SIGHUP:
            server.site = site()
            pool.replace_zygote(server.site.deployed.functions)
        elif pool.watch():
            pool.replace_zygote(server.site.deployed.functions)


def _signed_urls(settings: dict[str, Any]) -> SignedUrls:
    key = load_pem_public_key(settings["delivery"]["public_key"].encode())
    assert isinstance(key, RSAPublicKey)
    return SignedUrls(settings["delivery"]["key_pair_id"], key)


def _watch(folders: list[str]) -> None:
    from watchfiles import PythonFilter, watch

    for _ in watch(*folders, watch_filter=PythonFilter(extra_extensions=(".txt", ".html", ".json")), debounce=200):
        os.kill(os.getpid(), signal.SIGHUP)


if __name__ == "__main__":
    main()
