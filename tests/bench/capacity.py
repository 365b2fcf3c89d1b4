"""What DynamoDB charges for a request, by AWS's published rules, from what was sent and answered.

Sizes: names and values in UTF-8, numbers by digits, 3 bytes a list or map and 1 an entry. A write costs a unit per KiB
begun, twice that in a transaction, and a unit per KiB begun in each index that the item is in; a consistent read costs
a unit per 4 KiB begun, any other half of it. The emulator's own figures are not used: they leave indexes and
transactions out.
"""

import math
from functools import cache
from typing import Any

from tests.support import stacks


def of(operation: str, asked: dict[str, Any], answer: dict[str, Any]) -> tuple[float, float]:
    """Read units and write units."""
    consistent = bool(asked.get("ConsistentRead"))
    match operation:
        case "GetItem":
            return _read(item_size(answer.get("Item", {})), consistent), 0.0
        case "Query":
            return _read(sum(map(item_size, answer["Items"])), consistent), 0.0
        case "BatchGetItem":
            tables = asked["RequestItems"]
            return sum(
                _read(item_size(item), bool(tables[table].get("ConsistentRead")))
                for table, items in answer["Responses"].items()
                for item in items
            ), 0.0
        case "TransactWriteItems":
            return 0.0, sum(_part(part) for part in asked["TransactItems"])
        case "PutItem":
            return 0.0, _kib(asked["Item"]) + _indexes(asked["TableName"], asked["Item"])
        case "UpdateItem":
            after = answer.get("Attributes", asked["Key"])
            return 0.0, _kib(after) + _indexes(asked["TableName"], after)
    raise RuntimeError(f"no rule for {operation}")


def item_size(item: dict[str, Any]) -> int:
    """Bytes of an item in typed form."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return math.ceil(len(value.strip("-").replace(".", "")) / 2) + 1
        case "B":
            return len(value)
        case "L":
            return 3 + sum(1 + _value(entry) for entry in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value(entry) for name, entry in value.items())
        case "SS" | "NS":
            return sum(map(len, value))
    return 1


def _read(size: int, consistent: bool) -> float:
    return max(1, math.ceil(size / 4096)) * (1.0 if consistent else 0.5)


def _kib(item: dict[str, Any]) -> int:
    return max(1, math.ceil(item_size(item) / 1024))


def _part(part: dict[str, Any]) -> float:
    ((kind, asked),) = part.items()
    item = asked.get("Item", asked.get("Key"))
    return 2 * _kib(item) + (_indexes(asked["TableName"], item) if kind == "Put" else 0)


def _indexes(table: str, item: dict[str, Any]) -> int:
    """Units for the indexes that hold the item."""
    return sum(_kib(item) for keys in _keys()[table] if all(key in item for key in keys))


@cache
def _keys() -> dict[str, list[list[str]]]:
    """The key attributes of each table's indexes, from the template."""
    return {
        table["TableName"]: [
            [key["AttributeName"] for key in index["KeySchema"]] for index in table.get("GlobalSecondaryIndexes", ())
        ]
        for table in stacks.of_type("AWS::DynamoDB::Table").values()
    }
