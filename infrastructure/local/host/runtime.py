"""Inside one function's process: what the Lambda runtime does. One invocation at a time, then wait for the next."""

import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infrastructure.local.host import wire
from infrastructure.local.host.functions import Function


@dataclass(frozen=True)
class ImportFailed:
    """A handler that could not be imported; every invocation of its function fails with it."""

    type: str
    message: str
    trace: str


@dataclass
class _Identity:
    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


@dataclass
class LambdaContext:
    """The second argument of a handler."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline: float
    identity: _Identity
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed, never below 0."""
        return max(0, int((self.deadline - time.time()) * 1000))


def environment(function: Function, settings: dict[str, Any]) -> dict[str, str]:
    """Exactly what the function sees: the runtime's variables, the addresses of the region, its template's own."""
    key = function.name.replace("-", "_")
    return {
        **settings["base"],
        **settings["endpoints"],
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[$LATEST]{os.getpid()}",
        "LAMBDA_TASK_ROOT": function.folder,
        "_HANDLER": function.handler,
        # The emulator's own: only these does it find signatures of presigned addresses to be good by.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # Every SDK puts it into its User-Agent, so that whoever sees a request can tell who made it.
        "AWS_SDK_UA_APP_ID": f"FN_{key}",
        **function.environment,
    }


def serve(function: Function, handler: object, channel: socket.socket, settings: dict[str, Any]) -> None:
    """Answer invocations until the host closes the channel."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment(function, settings))
    time.tzset()
    _log_to(Path(settings["logs"]) / f"{function.name}.log")
    while True:
        try:
            head, body = wire.receive(channel)
        except wire.Gone:
            return
        ok, answer = _invoke(function, handler, head, body)
        try:
            wire.send(channel, {"ok": ok}, answer)
        except OSError:
            return


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _invoke(function: Function, handler: object, head: dict[str, Any], body: bytes) -> tuple[bool, bytes]:
    request_id = head["request_id"]
    began = time.time()
    context = LambdaContext(
        function_name=function.name,
        function_version="$LATEST",
        invoked_function_arn=function.arn,
        memory_limit_in_mb=str(function.memory),
        aws_request_id=request_id,
        log_group_name=f"/aws/lambda/{function.name}",
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        deadline=head["deadline"],
        identity=_Identity(),
    )
    os.environ["_X_AMZN_TRACE_ID"] = head["trace"]
    print(f"START RequestId: {request_id} Version: $LATEST {datetime.now(UTC).isoformat(timespec='milliseconds')}")
    ok, answer = _call(handler, body, context)
    sys.stdout.flush()
    sys.stderr.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"REPORT RequestId: {request_id} Duration: {(time.time() - began) * 1000:.2f} ms "
        f"Memory Size: {function.memory} MB Max Memory Used: {peak} MB {'' if ok else 'Status: error'}"
    )
    return ok, answer


def _call(handler: object, body: bytes, context: LambdaContext) -> tuple[bool, bytes]:
    if isinstance(handler, ImportFailed):
        print(handler.trace, file=sys.stderr)
        return False, _error("Runtime.ImportModuleError", f"{handler.type}: {handler.message}", [])
    assert callable(handler)
    call: Callable[[Any, LambdaContext], Any] = handler
    try:
        result = call(json.loads(body), context)
    except Exception as error:  # noqa: BLE001 - like the Lambda runtime: whatever the handler raises is the answer
        traceback.print_exc()
        return False, _error(type(error).__name__, str(error), traceback.format_exc().splitlines())
    try:
        return True, json.dumps(result).encode()
    except (TypeError, ValueError) as error:
        print(f"[ERROR] Runtime.MarshalError: {error}", file=sys.stderr)
        return False, _error("Runtime.MarshalError", f"Unable to marshal response: {error}", [])


def _error(kind: str, message: str, trace: list[str]) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": trace}).encode()
