"""Schedules. The file comes last by its name: the minute that they take has mostly passed by then."""

from infrastructure.local.region import Region
from tests.support.region import until


class TestSchedules:
    """rate() in both services."""

    def test_both_kinds_of_schedule_fire(self, small: Region) -> None:
        """The shortest rate is a minute, counted from the deployment."""
        table = small.client("dynamodb")

        def ticks() -> set[str]:
            item = table.get_item(TableName="dev-things", Key={"pk": {"S": "ticks"}}).get("Item", {})
            return set(item) - {"pk"}

        assert until(lambda: ticks() >= {"aws_events", "aws_scheduler"} and ticks(), seconds=75, every=0.5)
