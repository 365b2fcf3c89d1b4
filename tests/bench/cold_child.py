"""One cold start, in a process of its own: import a function's file and serve one event.

`python -m tests.bench.cold_child <file.py> <event.json>` prints one JSON line to the descriptor 3. What Lambda's own
runtime has loaded before a function (json, os, the event) is loaded before the clocks start.
"""

import json
import os
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path


class Context:
    """What Lambda passes beside the event."""

    function_name = "bench"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:bench"

    def get_remaining_time_in_millis(self) -> int:
        """Plenty."""
        return 30_000


def main() -> None:
    """Import, call, tell."""
    file, event = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    wall, cpu = time.perf_counter(), time.process_time()
    loader = SourceFileLoader(f"functions.{file.parent.name}.{file.stem}", str(file))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[loader.name] = module
    loader.exec_module(module)
    imported = time.process_time()
    try:
        answer = module.handler(event, Context())
        outcome = str(answer.get("statusCode", "done")) if isinstance(answer, dict) else "done"
    except Exception as error:  # noqa: BLE001 - a consumer may refuse its sample; the report says how
        outcome = type(error).__name__
    ended = time.process_time()
    told = {
        "import": imported - cpu,
        "cpu": ended - cpu,
        "wall": time.perf_counter() - wall,
        "modules": len(sys.modules),
        "outcome": outcome,
    }
    os.write(3, json.dumps(told).encode())


if __name__ == "__main__":
    main()
