"""Pages and their cursors, over anything that is found in order."""

from collections.abc import Iterator

import pytest

from snapforge.aws.lists import page
from snapforge.kit.page import InvalidCursor, decode_cursor


def numbers(last: int, read: list[int] | None = None) -> Iterator[int]:
    """1 to `last`; notes what was read."""
    for number in range(1, last + 1):
        if read is not None:
            read.append(number)
        yield number


def listed(found: Iterator[int], limit: int, **more: object) -> tuple[list[str], str | None]:
    """Items, and the sort key in the cursor."""
    made = page(found, limit, key=lambda n: f"n#{n}", view=str, **more)  # type: ignore[arg-type]
    return made.items, made.next_cursor and decode_cursor(made.next_cursor, prefix="n#")


class TestPage:
    def test_a_full_page_with_more_behind_it_has_a_cursor_of_its_last_item(self) -> None:
        assert listed(numbers(9), 3) == (["1", "2", "3"], "n#3")

    @pytest.mark.parametrize("last", [0, 2, 3])
    def test_the_last_page_has_none_also_when_it_is_full(self, last: int) -> None:
        assert listed(numbers(last), 3) == ([str(n) for n in range(1, last + 1)], None)

    def test_no_more_is_read_than_one_beyond_the_page(self) -> None:
        read: list[int] = []
        listed(numbers(9, read), 3)
        assert read == [1, 2, 3, 4]

    def test_what_is_not_wanted_is_passed_over_and_the_cursor_goes_on_from_what_was_looked_at(self) -> None:
        assert listed(numbers(9), 2, wanted=lambda n: n % 2 == 0) == (["2", "4"], "n#4")

    def test_a_budget_ends_a_page_early_even_empty(self) -> None:
        assert listed(numbers(9), 3, wanted=lambda n: n > 5, budget=4) == ([], "n#4")
        assert listed(numbers(4), 3, wanted=lambda n: n > 5, budget=4) == ([], None)

    def test_a_cursor_of_another_list_is_refused(self) -> None:
        made = page(numbers(9), 3, key=lambda n: f"n#{n}", view=str)
        assert made.next_cursor is not None
        with pytest.raises(InvalidCursor):
            decode_cursor(made.next_cursor, prefix="job#")
