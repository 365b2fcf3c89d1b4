"""The queue's consumer that sends mails."""

import json
from typing import Any

import pytest

from snapforge.kit import ids
from snapforge.kit.events import Event
from snapforge.notifications import service
from tests.core.notifications.samples import SAMPLES
from tests.support.aws import Aws
from tests.support.http import LambdaContext, load


def record(number: int, body: str) -> dict[str, Any]:
    """An SQS message."""
    return {"messageId": f"message-{number}", "body": body}


def news(email: str) -> Event:
    data = SAMPLES["job.failed"] | {"email": email}
    return Event(type="job.failed", org_id=ids.new("org"), data=data)


def carried(event: Event) -> str:
    """As the bus hands it to the queue."""
    return json.dumps({"detail-type": event.type, "detail": event.model_dump(mode="json")})


@pytest.mark.part("NTF-1")
class TestSendMail:
    """SQS `mail`"""

    def test_a_broken_message_returns_alone(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """The others of its batch are sent, those before it and those behind; a doubled one counts as done."""
        asked: list[str] = []
        handle = service.handle

        def noted(event: Event) -> int:
            asked.append(event.id)
            return handle(event)

        monkeypatch.setattr(service, "handle", noted)
        first, second = (news(f"{ids.new('user').lower()}@example.com") for _ in range(2))
        bodies = [carried(first), "{}", carried(second), carried(first), "not JSON"]
        records = [record(number, body) for number, body in enumerate(bodies)]
        answered = load("notifications/send_mail").handler({"Records": records}, LambdaContext())
        assert answered == {
            "batchItemFailures": [{"itemIdentifier": "message-1"}, {"itemIdentifier": "message-4"}],
        }
        assert asked == [first.id, second.id, first.id]
