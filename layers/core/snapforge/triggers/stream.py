"""`@stream`: new rows of tables, in the order in which they were written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snapforge import observe
from snapforge.aws import settings
from snapforge.triggers.base import Trigger, malformed

Image = dict[str, Any]
"""An item in DynamoDB's own typed form."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A row as it was written."""

    table: str
    """The table's name after `snapforge-<stage>-`."""
    image: Image


@dataclass(eq=False)
class Stream(Trigger):
    """`tables`: whose streams feed the function."""

    tables: tuple[str, ...]

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
        """Lambda's partial answer: the first failed record stops the batch, as a stream's order demands."""
        for record in event["Records"]:
            number = record["dynamodb"]["SequenceNumber"]
            try:
                self.call(self._read(record), context=context)
            except Exception as error:  # noqa: BLE001 - whatever it was, the stream must go on from here
                observe.logger().exception("record failed", extra={"sequence_number": number, **malformed(error)})
                return {"batchItemFailures": [{"itemIdentifier": number}]}
        return {"batchItemFailures": []}

    def _read(self, record: dict[str, Any]) -> StreamRecord:
        name = record["eventSourceARN"].partition(":table/")[2].partition("/")[0]
        table = name.removeprefix(settings.get("TABLE_PREFIX"))
        if table not in self.tables:
            raise ValueError(f"{self.name} does not handle the stream of {name!r}")
        return StreamRecord(table, record["dynamodb"]["NewImage"])


def stream(*tables: str) -> Callable[[Callable[..., Any]], Stream]:
    """Make a function the handler of tables' streams: it takes a StreamRecord, once or more."""
    return lambda function: Stream(function, tables)
