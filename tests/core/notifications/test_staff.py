"""Mails to those who operate the deployment, and the channels that a message may name."""

from dataclasses import replace

import pytest

from infrastructure.tools import functions
from snapforge.kit import ids
from snapforge.kit.events import Event
from snapforge.messages import catalogue
from snapforge.messages.domain import SENDERS, Channel, Message, To, always
from snapforge.notifications import service
from snapforge.notifications.domain import Person
from tests.core.notifications.samples import BROKEN, CALLED_FOR, UNREADABLE, compose, news
from tests.support.aws import Aws

pytestmark = pytest.mark.part("NTF-1")
BROKE = news("job.failed", failure=BROKEN)


def broken() -> Message:
    """The message to staff."""
    (message,) = (one for one in catalogue.MESSAGES if To.staff in one.to)
    return message


@pytest.fixture(autouse=True)
def _nothing_logged() -> None:
    service._log_no_staff.cache_clear()


class TestStaff:
    """`STAFF_MAIL`: several people, or nobody."""

    @pytest.mark.parametrize(
        ("setting", "addresses"),
        [
            ("a@example.com", ["a@example.com"]),
            (" a@example.com , b@example.com,", ["a@example.com", "b@example.com"]),
            ("a@example.com,A@Example.com", ["a@example.com"]),
            ("", []),
            (" , ", []),
        ],
    )
    def test_each_address_once(self, monkeypatch: pytest.MonkeyPatch, setting: str, addresses: list[str]) -> None:
        monkeypatch.setenv("STAFF_MAIL", setting)
        assert service.recipients(BROKE, broken()) == [Person(address, "", "en") for address in addresses]

    def test_without_the_setting_nobody_hears_and_it_is_logged_once(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.delenv("STAFF_MAIL", raising=False)
        assert [service.recipients(BROKE, broken()) for _ in range(2)] == [[], []]
        assert [(record.message, vars(record)["setting"]) for record in caplog.records] == [("no_staff", "STAFF_MAIL")]

    def test_where_somebody_is_told_nothing_is_logged(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("STAFF_MAIL", "a@example.com")
        service.recipients(BROKE, broken())
        assert caplog.records == []

    def test_the_owner_and_two_of_staff_get_three_mails_and_nobody_a_second(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        owner, one, two = (f"{ids.new('user').lower()}@example.com" for _ in range(3))
        monkeypatch.setenv("STAFF_MAIL", f"{one},{two}")
        event = news("job.failed", failure=BROKEN, email=owner)
        assert [service.handle(event) for _ in range(2)] == [3, 0]

    def test_an_owner_who_is_staff_too_gets_one_of_a_message_for_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As the owner, by name, whatever the case of the address."""
        monkeypatch.setenv("STAFF_MAIL", "ROBIN@example.com,b@example.com")
        both = replace(broken(), to=(To.named, To.staff))
        event = news("job.failed", failure=BROKEN, name="Robin", locale="de")
        assert service.recipients(event, both) == [
            Person("robin@example.com", "Robin", "de"),
            Person("b@example.com", "", "en"),
        ]


class TestBrokenJobs:
    """Customers of a job that broke by our fault are told that we know: so it has to be."""

    def test_staff_are_told_what_and_where(self) -> None:
        mail = compose(broken(), BROKE, name="")
        assert mail.subject == "A job failed by our fault: worker_broke"
        for told in ("Hello,\n", "job_1", BROKE.org_id, "KeyError: 'poses'", "What was ordered: Pictures"):
            assert told in mail.text

    @pytest.mark.parametrize("failure", [UNREADABLE, {"message": "Odd."}])
    def test_other_failures_are_not_for_staff(self, failure: dict[str, str]) -> None:
        called_for = catalogue.of(news("job.failed", failure=failure), Channel.mail)
        assert [message.to for message in called_for] == [(To.owner,)]


class TestChannels:
    """A message's channels and what sends them meet in SENDERS."""

    def test_every_channel_of_a_message_has_a_sender_that_takes_its_events(self) -> None:
        for message in catalogue.MESSAGES:
            for channel in message.channels:
                file = functions.ROOT / "functions" / f"{SENDERS[channel].function}.py"
                assert message.event in functions.load(file).handler.types

    def test_a_sender_takes_no_event_that_calls_for_nothing(self) -> None:
        for channel, sender in SENDERS.items():
            handler = functions.load(functions.ROOT / "functions" / f"{sender.function}.py").handler
            assert handler.types == catalogue.events(channel)

    def test_a_message_is_called_for_by_its_type_channel_and_condition(self, monkeypatch: pytest.MonkeyPatch) -> None:
        one = Message("a.b", "job_failed", (To.staff,), (Channel.mail,), broken().values)
        silent = replace(one, channels=())
        never = replace(one, when=lambda _: False)
        monkeypatch.setattr(catalogue, "MESSAGES", (one, silent, never, replace(one, event="a.c"), one))
        assert one.when is always
        assert catalogue.of(Event(type="a.b", org_id="org_1"), Channel.mail) == (one, one)
        assert catalogue.events(Channel.mail) == ("a.b", "a.c")

    def test_the_samples_are_called_for(self) -> None:
        assert len(CALLED_FOR) > len(catalogue.MESSAGES)
