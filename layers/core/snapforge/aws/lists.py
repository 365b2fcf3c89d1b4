"""Lists: rows of a partition, newest first, and the one place that makes and reads cursors.

A cursor carries a sort key only; the partition is always rebuilt from the principal, so that a cursor cannot reach into
another org.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pynamodb.expressions.condition import Condition

from snapforge.aws.tables import Row
from snapforge.kit.page import Page, decode_cursor, encode_cursor

R = TypeVar("R", bound=Row)
T = TypeVar("T")
S = TypeVar("S")


def newest_first(
    row: type[R], pk: str, *, prefix: str, cursor: str | None, page_size: int, where: Condition | None = None
) -> Iterator[R]:
    """Rows of a partition whose sort keys begin with `prefix`, backwards from the cursor. InvalidCursor.

    Reads pages of `page_size` as it is consumed. `where` is a filter: what it leaves out is read all the same.
    """
    before = decode_cursor(cursor, prefix=prefix) if cursor else None
    return iter(
        row.query(
            pk,
            row.sk.startswith(prefix),
            filter_condition=where,
            scan_index_forward=False,
            last_evaluated_key={"pk": {"S": pk}, "sk": {"S": before}} if before else None,
            page_size=page_size,
        )
    )


def page(
    found: Iterable[T],
    limit: int,
    *,
    key: Callable[[T], str],
    view: Callable[[T], S],
    wanted: Callable[[T], bool] = lambda _: True,
    budget: int | None = None,
) -> Page[S]:
    """The first `limit` of what was found and is wanted, with the cursor of the next page where there is more.

    key: the sort key by which `found` goes on after an item. budget: how many are looked at; a page may then be short,
    even empty, with a cursor to go on from.
    """
    items: list[S] = []
    looked, last = 0, ""
    for item in found:
        if len(items) == limit or looked == budget:
            return Page(items=items, next_cursor=encode_cursor(last))
        looked, last = looked + 1, key(item)
        if wanted(item):
            items.append(view(item))
    return Page(items=items)
