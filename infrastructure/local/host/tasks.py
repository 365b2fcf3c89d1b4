"""What Step Functions does when a function that was given a task token fails, and MiniStack leaves out.

MiniStack calls the function of a `lambda:invoke.waitForTaskToken` task once, forgets how that went, and waits for the
token. So this side answers with SendTaskFailure, as AWS fails the task: the state's Retry and Catch apply. A call that
a killed host had in hand is failed at the next start. Our state machines pass the token as `task_token`.
"""

import json
import sys
import urllib.error
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infrastructure.local.host import aws
from infrastructure.local.host.pool import Answer

_LOST = {"errorType": "Lambda.Unknown", "errorMessage": "The functions host was lost."}


class TokenTasks:
    """Calls with a task token, on disk while they are in hand."""

    def __init__(self, folder: Path, emulator: str) -> None:
        self._folder = folder
        self._emulator = emulator
        folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> None:
        """Fail what an earlier host did not finish."""
        for file in self._folder.glob("*.token"):
            self._fail(file.read_text(), json.dumps(_LOST).encode())
            file.unlink()

    @contextmanager
    def in_hand(self, event: object) -> Iterator["TokenTask"]:
        """Around a call: `ended` tells how it went. Does nothing for an event without a token."""
        token = event.get("task_token") if isinstance(event, dict) else None
        task = TokenTask()
        if not isinstance(token, str) or not token:
            yield task
            return
        file = self._folder / f"{uuid.uuid4().hex}.token"
        part = file.with_suffix(".part")
        part.write_text(token)
        part.replace(file)
        yield task
        if task.answer is not None and not task.answer.ok:
            self._fail(token, task.answer.body)
        file.unlink(missing_ok=True)

    def _fail(self, token: str, error: bytes) -> None:
        said: dict[str, Any] = json.loads(error)
        body = {"taskToken": token, "error": said.get("errorType", "Lambda.Unknown"), "cause": error.decode()}
        try:
            aws.call(self._emulator, "states", "AWSStepFunctions.SendTaskFailure", body)
        except urllib.error.HTTPError as refused:
            # Nobody waits for this token: the task has ended, or it was invoked by hand.
            refused.close()
        except urllib.error.URLError as silent:
            # The emulator restarts, and its executions end with it.
            print(f"task token not answered: {silent}", file=sys.stderr)


class TokenTask:
    """One call."""

    answer: Answer | None = None

    def ended(self, answer: Answer) -> Answer:
        """Note the answer, and return it."""
        self.answer = answer
        return answer
