"""`python -m infrastructure.local up`: the region in the foreground until Ctrl-C; `invoke` a command in one."""

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path

from infrastructure.local.command import invoke
from infrastructure.local.paths import REPO, Missing
from infrastructure.local.ports import PortTaken
from infrastructure.local.region import EmulatorFailed, InUse, Options, Region, RegionFailed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infrastructure.local")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the local region and stay until Ctrl-C")
    up.add_argument("--state", type=Path, default=REPO / ".local", help="state folder (default: .local)")
    up.add_argument("--port", type=int, help="port of the site (default: the last one, or a free one)")
    up.add_argument("--reload", action="store_true", help="take changed handlers without a restart")
    up.add_argument("--record", action="store_true", help="record every AWS call of functions and jobs")
    up.add_argument("--slots", type=int, default=1, help="GPU jobs at once")
    up.add_argument("--json-ready", type=Path, help="write the addresses to this file when everything is up")
    command = commands.add_parser("invoke", help="invoke a function of the running region, e.g. grant-credits")
    command.add_argument("function", help="its name without the prefix snapforge-dev-")
    command.add_argument("event", help="JSON")
    command.add_argument("--state", type=Path, default=REPO / ".local", help="state folder (default: .local)")
    arguments = parser.parse_args()
    if arguments.command == "invoke":
        return invoke(arguments.state, arguments.function, arguments.event)
    return _up(arguments)


def _up(arguments: argparse.Namespace) -> int:
    options = Options(
        port=arguments.port, reload=arguments.reload, record_calls=arguments.record, slots=arguments.slots
    )
    region = Region(arguments.state, options)
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: asked_to_stop.set())
    began = time.monotonic()
    try:
        region.start()
    except (InUse, Missing, PortTaken, EmulatorFailed, RegionFailed) as error:
        print(f"The local region cannot start: {error}", file=sys.stderr)
        return 1
    try:
        _say(region, time.monotonic() - began)
        if arguments.json_ready:
            _write_ready(region, arguments.json_ready)
        while not asked_to_stop.wait(0.2):
            if (failure := region.failure()) is not None:
                print(f"The local region has failed: {failure}", file=sys.stderr)
                return 1
    finally:
        print("Stopping …", flush=True)
        region.stop()
    return 0


def _addresses(region: Region) -> dict[str, str]:
    return {
        "api": f"{region.api_url}/v1",
        "web": region.api_url,
        "mail": f"{region.api_url}/_mail",
        "aws": region.emulator_url,
        "batch": region.batch_url,
        "state": str(region.state_dir),
    }


def _say(region: Region, seconds: float) -> None:
    for note in region.notes:
        print(note)
    print(f"The local region is up after {seconds:.1f} s:")
    for name, address in _addresses(region).items():
        print(f"  {name:6} {address}")
    print("Ready: Ctrl-C stops it and keeps its state.", flush=True)


def _write_ready(region: Region, path: Path) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps({**_addresses(region), "environment": region.environment()}))
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
