"""Kinds of attributes that rows have beside PynamoDB's own."""

from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pynamodb.attributes import Attribute
from pynamodb.constants import NUMBER, STRING

from snapforge.kit import clock

T = TypeVar("T")


class Typed(Attribute[T], Generic[T]):
    """A value of a pydantic type, as JSON text."""

    attr_type = STRING

    def __init__(self, kind: Any, *, null: bool = False) -> None:
        super().__init__(null=null)
        self._kind = kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        """Built at first use: no function reads or writes all kinds, and a cold start should not pay for the others."""
        return TypeAdapter(self._kind)

    def serialize(self, value: T) -> str:
        return self._adapter.dump_json(value, exclude_none=True).decode()

    def deserialize(self, value: str) -> T:
        return self._adapter.validate_json(value)


class TimestampAttribute(Attribute[datetime]):
    """An aware instant, as RFC 3339 text that sorts as times do. The one way in which rows keep instants."""

    attr_type = STRING

    def serialize(self, value: datetime) -> str:
        return clock.rfc3339(value)

    def deserialize(self, value: str) -> datetime:
        return clock.parse(value)


class IntegerAttribute(Attribute[int]):
    """A whole number, read as one: PynamoDB's own attribute reads whatever JSON makes of it."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        if type(value) is not int:
            raise TypeError(f"{self.attr_name} is a whole number, not {value!r}")
        return str(value)

    def deserialize(self, value: str) -> int:
        return int(value)
