"""DynamoDB rows (PynamoDB) and transactions that several contexts write together."""

import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.connection.table import TableConnection
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from snapforge.aws import settings
from snapforge.aws.attributes import IntegerAttribute
from snapforge.aws.clients import make
from snapforge.kit.errors import Unavailable

Item = dict[str, Any]
"""An item in DynamoDB's own typed form, `{"pk": {"S": …}}`."""
ErrorFactory = Callable[[Item | None], Exception]
"""Makes the error of a failed condition from the item that stood in the way (None: there was none)."""

ATTEMPTS = 8
PATIENCE_SECONDS = 15.0
"""Half of what an endpoint's function may take: whoever waits for a busy row is told to come again, and not cut off."""
MAX_ITEMS = 100


class Row(Model):
    """The base of all rows: `pk`, `sk`, and a TTL that DynamoDB keeps roughly.

    A context makes one abstract child with `Meta.context` and a `DiscriminatorAttribute` named `cls`, and a class per
    kind of row below it. The table's name is read from the environment at first use.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    ttl = IntegerAttribute(null=True)

    @classmethod
    def _get_connection(cls) -> TableConnection:
        name = settings.table(cast(Any, cls.Meta).context)
        if cls._connection is None or cls._connection.table_name != name:
            cls.Meta.table_name = name
            table = super()._get_connection()
            # One client for all tables; PynamoDB would make one per model, at 50 ms each.
            table.connection._client = connection().client
        return super()._get_connection()


@cache
def connection() -> Connection:
    """The process's DynamoDB connection, with a client like all others: PynamoDB would read all the SDK's data anew."""
    made = Connection()
    made._client = make("dynamodb")
    return made


R = TypeVar("R", bound=Row)


def org_pk(org_id: str) -> str:
    """The partition of what belongs to an org, in every table."""
    return f"org#{org_id}"


def find(row: type[R], pk: str, sk: str, *, consistent: bool = True) -> R | None:
    """The row at a key, or None. One GetItem."""
    try:
        return row.get(pk, sk, consistent_read=consistent)
    except row.DoesNotExist:
        return None


def update(row: R, actions: Sequence[Action], condition: Condition, *, failed: ErrorFactory) -> R:
    """Change the row at `row`'s key where `condition` holds, and return all of it as it is then. One UpdateItem.

    `failed` makes the error from the item that stood in the way, as in Transaction.
    """
    arguments = row.get_update_kwargs_from_instance(
        actions=list(actions), condition=condition, return_values_on_condition_failure="ALL_OLD"
    )
    client = cast(Any, connection().client)
    try:
        answer = client.update_item(**arguments, ReturnValues="ALL_NEW")
    except client.exceptions.ConditionalCheckFailedException as error:
        raise failed(error.response.get("Item")) from error
    return type(row).from_raw_data(answer["Attributes"])


class Stale(Exception):
    """A row changed between reading and writing. What was decided on it must be decided again."""


T = TypeVar("T")


def retried(decide_and_write: Callable[[], T]) -> T:
    """Run a read-decide-write again, with jitter, while it raises Stale; Unavailable (503) after 12 tries, or when
    PATIENCE_SECONDS are over.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    for attempt in range(12):
        try:
            return decide_and_write()
        except Stale:
            if time.monotonic() > end:
                break
            time.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))
    raise Unavailable("Many requests change the same row.")


class Transaction:
    """Writes of one or more contexts that happen together or not at all.

    The opener calls `commit()`; each service adds its parts. A part's `failed` makes the error that the caller sees
    when that part's condition does not hold; of several, the part added first speaks. At most 100 parts (ValueError).
    """

    def __init__(self) -> None:
        self._parts: list[tuple[str, Item, ErrorFactory]] = []

    def put(self, row: Row, condition: Condition | None = None, *, failed: ErrorFactory) -> None:
        """Write `row`, replacing what lies at its key unless `condition` forbids it."""
        # By hand: PynamoDB's own way takes the item apart and puts it together again, a tenth of what a job costs.
        arguments: Item = {"TableName": row._get_connection().table_name, "Item": row.serialize(null_check=True)}
        if condition is not None:
            names: dict[str, str] = {}
            values: Item = {}
            arguments["ConditionExpression"] = condition.serialize(names, values)
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            if names:
                arguments["ExpressionAttributeNames"] = {alias: name for name, alias in names.items()}
            if values:
                arguments["ExpressionAttributeValues"] = values
        self._add("Put", arguments, failed)

    def put_changed(self, row: Row) -> None:
        """Write a row that was read and changed; Stale at commit when its `version` is no longer the one read."""
        versioned = cast(Any, row)
        before = versioned.version
        versioned.version = before + 1
        self.put(row, type(versioned).version == before, failed=lambda _: Stale())

    def put_new(self, row: Row, *, failed: ErrorFactory) -> None:
        """Write `row` where nothing lies yet."""
        self.put(row, type(row).pk.does_not_exist(), failed=failed)

    def update(
        self, row: Row, actions: Sequence[Action], condition: Condition | None = None, *, failed: ErrorFactory
    ) -> None:
        """Change attributes of the row at `row`'s key; give a condition that it exists, or it is made."""
        self._add(
            "Update",
            row.get_update_kwargs_from_instance(
                actions=list(actions), condition=condition, return_values_on_condition_failure="ALL_OLD"
            ),
            failed,
        )

    def delete(self, row: Row, condition: Condition | None = None, *, failed: ErrorFactory) -> None:
        """Remove the row at `row`'s key."""
        self._add("Delete", row.get_delete_kwargs_from_instance(condition=condition), failed)

    def check(self, row: type[Row], pk: str, sk: str, condition: Condition, *, failed: ErrorFactory) -> None:
        """Let the whole fail unless `condition` holds at a key that is not written."""
        arguments: Item = row.get_operation_kwargs_from_class(pk, range_key=sk, condition=condition)
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        self._add("ConditionCheck", arguments, failed)

    def _add(self, operation: str, arguments: Item, failed: ErrorFactory) -> None:
        if len(self._parts) == MAX_ITEMS:
            raise ValueError(f"a transaction holds at most {MAX_ITEMS} items")
        self._parts.append((operation, arguments, failed))

    def commit(self) -> None:
        """Write all parts. Conflicts with other transactions are retried with jitter, then raise Unavailable (503)."""
        for attempt in range(ATTEMPTS):
            try:
                self._send()
            except TransactWriteError as error:
                self._explain(error)
                if attempt == ATTEMPTS - 1:
                    raise Unavailable("Many writes meet on the same rows.") from error
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
            else:
                return

    def _send(self) -> None:
        grouped: dict[str, list[Item]] = {"ConditionCheck": [], "Delete": [], "Put": [], "Update": []}
        for operation, arguments, _ in self._parts:
            grouped[operation].append(arguments)
        connection().transact_write_items(
            condition_check_items=grouped["ConditionCheck"],
            delete_items=grouped["Delete"],
            put_items=grouped["Put"],
            update_items=grouped["Update"],
        )

    def _explain(self, error: TransactWriteError) -> None:
        """Raise the error of the first part whose condition failed; return when a retry makes sense."""
        if getattr(error.cause, "response", None) is None:
            # No answer: written or not, nobody knows; the caller decides again on what stands then. (PynamoDB's own
            # property breaks on such a cause.)
            raise Unavailable("The database did not answer.") from error
        if error.cause_response_code in {"TransactionInProgressException", "ProvisionedThroughputExceededException"}:
            return
        if error.cause_response_code != "TransactionCanceledException":
            raise error
        # PynamoDB sends the parts grouped by operation, in this order, and the reasons come in the order sent.
        sent = sorted(
            range(len(self._parts)),
            key=lambda i: ("ConditionCheck", "Delete", "Put", "Update").index(self._parts[i][0]),
        )
        reasons = dict(zip(sent, error.cancellation_reasons, strict=True))
        for index, (_, _, failed) in enumerate(self._parts):
            reason = reasons[index]
            if reason is not None and reason.code == "ConditionalCheckFailed":
                raise failed(reason.raw_item) from error
        if not any(reason and reason.code in _RETRIED for reason in reasons.values()):
            raise error


_RETRIED = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
