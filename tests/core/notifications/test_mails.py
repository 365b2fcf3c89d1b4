"""Mails: what they say, and that each goes out once."""

import html
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pynamodb.exceptions import UpdateError

from snapforge.assets.service import delivery as asset_delivery
from snapforge.aws import delivery
from snapforge.aws.clients import client
from snapforge.aws.settings import MissingSettingError
from snapforge.kit import clock, ids
from snapforge.kit.events import Event
from snapforge.messages import catalogue
from snapforge.messages.domain import Channel, Message, To
from snapforge.messages.languages import Language
from snapforge.notifications import domain, render, service, store
from snapforge.notifications.errors import DeliveryInProgress
from snapforge.notifications.render import Form
from tests.core.notifications import samples
from tests.core.notifications.samples import CALLED_FOR, ORG, SAMPLES, news
from tests.support import people
from tests.support.aws import Aws
from tests.support.links import FROZEN, ends, freeze


def message_of(event: Event) -> Message:
    """The one mail that an event calls for."""
    (message,) = catalogue.of(event, Channel.mail)
    return message


def compose(event: Event, name: str = "Robin") -> render.Mail:
    return samples.compose(message_of(event), event, name=name)


def claim(event: Event, now: datetime) -> store.Delivery | None:
    """Take an event's mail for its recipient."""
    message = message_of(event)
    (person,) = service.recipients(event, message)
    return store.claim(event.id, message.template, person.email, now)


@pytest.mark.part("NTF-1")
class TestTemplates:
    """Subject, text and HTML of each mail."""

    def test_every_template_belongs_to_a_mail_and_back(self) -> None:
        assert {path.stem for path in render.FOLDER.glob("*.j2")} == {one.template for one in catalogue.MESSAGES}

    def test_both_forms_have_the_same_parts(self) -> None:
        """A part that one lacks would fail only in the mail that uses it."""
        named = [set(re.findall(r"macro (\w+)", (render.FOLDER / f"layout/parts.{form}").read_text())) for form in Form]
        assert named[0] == named[1]
        assert len(named[0]) > 5

    def test_text_is_plain_and_html_is_escaped(self) -> None:
        """Of the same template; a name cannot break a line of the subject, nor become markup."""
        mail = compose(news("job.failed"), name="Ada <b>& co</b>\r\nBcc: x@example.com")
        assert "Hello Ada <b>& co</b>" in mail.text
        assert "Ada &lt;b&gt;&amp; co&lt;/b&gt;" in mail.html
        assert "<b>" not in mail.html
        assert "\n" not in mail.subject

    @pytest.mark.parametrize("language", Language)
    @pytest.mark.parametrize(("message", "event"), CALLED_FOR)
    def test_a_blank_line_parts_paragraphs_and_both_forms_hold_the_links(
        self, message: Message, event: Event, language: Language
    ) -> None:
        mail = samples.compose(message, event, language)
        assert "\n\n\n" not in mail.text
        assert mail.text == mail.text.strip() + "\n"
        assert not [line for line in mail.text.splitlines() if line != line.strip()]
        shown = set(re.findall(r'href="([^"]+)"', mail.html))
        assert {html.unescape(link) for link in shown} <= set(re.findall(r"https://[^\s)]+", mail.text))

    def test_the_verification_link_keeps_its_token_whole(self) -> None:
        text = compose(news("user.verification_requested")).text
        assert "/verify-email?token=abc%2F%2B%3Ddef" in text
        assert "within 24 hours" in text

    def test_success_carries_signed_links_the_preview_and_the_charge(self) -> None:
        mail = compose(news("job.succeeded"))
        assert "https://cdn.example/assets/a/1.glb?Signature=s" in mail.text
        assert 'src="https://cdn.example/assets/a/2.webp?Signature=s"' in mail.html
        assert "40 credits" in mail.text
        assert "These pictures are noise." in mail.text

    def test_failure_says_what_was_not_charged_and_what_to_do(self) -> None:
        mail = compose(news("job.failed"))
        assert "You were not charged: 12 held credits" in mail.text
        assert "Take more." in mail.text
        assert "The photos &lt;do&gt; not connect." in mail.html

    def test_nothing_is_given_back_where_nothing_was_held(self) -> None:
        for held in ({"released": 0}, {}):
            event = news("job.failed")
            event.data.pop("released")
            event.data.update(held)
            assert "You were not charged.\n" in compose(event).text

    def test_a_charge_for_a_failed_job_is_told(self) -> None:
        assert "Charged: 3 credits" in compose(news("job.failed", charged=3)).text


def _sent_to(aws: Aws, address: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{aws.endpoint}/_ministack/ses/messages") as answered:
        by_account = json.load(answered)["messages"]
    return [mail for mails in by_account.values() for mail in mails if address in mail["To"]]


@pytest.mark.part("NTF-1")
class TestSending:
    """Each event's mail goes out once."""

    def test_a_doubled_event_sends_one_mail(self, aws: Aws) -> None:
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.succeeded", email=address)
        assert service.handle(event) == 1
        assert service.handle(event) == 0
        assert len(_sent_to(aws, address)) == 1

    def test_the_links_of_a_mail_are_good_for_a_week(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """And up to a quarter of an hour more."""
        freeze(monkeypatch)
        mail = service.compose(
            message_of(news("job.succeeded")), news("job.succeeded"), domain.Person("robin@example.com", "Robin")
        )
        for body in (mail.text, html.unescape(mail.html)):
            links = re.findall(r"http://\S+/assets/[^\s\"<]+", body)
            assert {ends(link) for link in links} == {FROZEN.replace(day=8, minute=15)}

    def test_other_news_sends_none(self, aws: Aws) -> None:
        assert service.handle(Event(type="invoice.viewed", org_id=ORG)) == 0

    def test_a_mail_that_another_sender_holds_is_left_for_redelivery(self, aws: Aws) -> None:
        event = news("job.succeeded")
        assert claim(event, clock.now()) is not None
        with pytest.raises(DeliveryInProgress):
            service.handle(event)

    def test_a_claim_holds_two_minutes_to_the_second(self, aws: Aws) -> None:
        """Then its sender is taken for dead, and the next one may."""
        event, now, held = news("job.succeeded"), clock.now(), timedelta(minutes=2)
        assert claim(event, now) is not None
        assert claim(event, now + held) is None
        again = claim(event, now + held + timedelta(seconds=1))
        assert again is not None
        assert claim(event, now + 2 * held) is None

    def test_a_dead_senders_claim_runs_out(self, aws: Aws) -> None:
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.succeeded", email=address)
        claim(event, clock.now() - 2 * domain.CLAIM_KEPT)
        assert service.handle(event) == 1
        assert len(_sent_to(aws, address)) == 1

    @pytest.mark.parametrize("late", [domain.CLAIM_KEPT + timedelta(seconds=1), timedelta(days=1), timedelta(days=29)])
    def test_a_sent_mail_is_never_claimed_again(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch, late: timedelta
    ) -> None:
        """However late the event is repeated, also after its claim would have run out."""
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.succeeded", email=address)
        assert service.handle(event) == 1
        then = clock.now() + late
        assert claim(event, then) is None
        monkeypatch.setattr(clock, "now", lambda: then)
        assert service.handle(event) == 0
        assert len(_sent_to(aws, address)) == 1
        row = _row(event)
        assert (row.state, row.template) == ("sent", "job_succeeded")
        assert row.message_id

    def test_it_is_remembered_for_thirty_days(self, aws: Aws) -> None:
        event = news("job.succeeded")
        service.handle(event)
        assert abs(_row(event).ttl - clock.epoch(clock.now() + timedelta(days=30))) < 60

    def test_the_mail_is_claimed_before_it_is_sent(self, aws: Aws) -> None:
        """A redelivery while SES is being asked finds it held, and is not taken for done."""
        event = news("job.succeeded", email=f"{ids.new('user').lower()}@example.com")
        seen: list[str] = []

        def meanwhile(**_: Any) -> None:
            with pytest.raises(DeliveryInProgress):
                service.handle(event)
            seen.append(_row(event).state)

        with _before_sending(meanwhile):
            assert service.handle(event) == 1
        assert seen == ["claimed"]

    def test_a_mail_that_ses_refuses_is_free_at_once_and_goes_out_once(self, aws: Aws) -> None:
        """The first redelivery need not wait for the claim to run out; it sends, all later ones do not."""
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.failed", email=address)
        with _before_sending(lambda **_: REFUSED), pytest.raises(ClientError, match="MessageRejected"):
            service.handle(event)
        assert _row(event).state == "claimed"
        assert _row(event).message_id is None
        assert _sent_to(aws, address) == []
        assert [service.handle(event) for _ in range(3)] == [1, 0, 0]
        assert len(_sent_to(aws, address)) == 1

    def test_a_fault_of_ours_keeps_the_claim_until_it_runs_out(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody knows how far it came, so the redelivery waits; then the mail goes out once."""
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.failed", email=address)
        with monkeypatch.context() as broken:
            broken.setenv("MAIL_FROM", "")
            with pytest.raises(MissingSettingError):
                service.handle(event)
        with pytest.raises(DeliveryInProgress):
            service.handle(event)
        assert _sent_to(aws, address) == []
        then = clock.now() + domain.CLAIM_KEPT + timedelta(seconds=1)
        monkeypatch.setattr(clock, "now", lambda: then)
        assert [service.handle(event) for _ in range(2)] == [1, 0]
        assert len(_sent_to(aws, address)) == 1

    def test_a_mail_that_could_not_be_marked_is_not_sent_again_at_once(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It went out: the table's error afterwards must not free the claim as SES's would."""
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.succeeded", email=address)

        def fails(*_: Any) -> None:
            raise UpdateError("the table is not there just now")

        with monkeypatch.context() as broken:
            broken.setattr(store, "mark_sent", fails)
            with pytest.raises(UpdateError):
                service.handle(event)
        with pytest.raises(DeliveryInProgress):
            service.handle(event)
        assert len(_sent_to(aws, address)) == 1

    def test_a_late_refusal_leaves_the_claim_of_the_next_sender(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SES answers the first sender after its claim has run out: the second one's mail is not to be doubled."""
        event, now = news("job.failed"), clock.now()
        first = claim(event, now)
        second = claim(event, now + 2 * domain.CLAIM_KEPT)
        assert first is not None
        assert second is not None
        store.give_up(first)
        assert claim(event, now + 2 * domain.CLAIM_KEPT) is None
        store.give_up(second)
        assert claim(event, now + 2 * domain.CLAIM_KEPT) is not None


@pytest.mark.part("NTF-1")
class TestTwoPeople:
    """A message for two people is two mails, each once; never two to one."""

    @pytest.fixture
    def for_both(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[domain.Person]], None]:
        """Lets messages go to these people, in the order of To."""

        def send_to(people_: list[domain.Person]) -> None:
            both = dict(zip((To.named, To.owner), people_, strict=True))
            monkeypatch.setattr(service, "_people", lambda event, to: [both[to]])
            two = replace(message_of(news("job.failed")), to=(To.named, To.owner))
            monkeypatch.setattr(catalogue, "MESSAGES", (two,))

        return send_to

    def test_each_gets_one_and_one_that_failed_does_not_hold_up_the_other(
        self, aws: Aws, for_both: Callable[[list[domain.Person]], None]
    ) -> None:
        first, second = (domain.Person(f"{ids.new('user').lower()}@example.com", "Robin") for _ in range(2))
        for_both([first, second])
        event = news("job.failed")
        asked: list[int] = []

        def refuse_the_first(**_: Any) -> Any:
            asked.append(1)
            return REFUSED if len(asked) == 1 else None

        with _before_sending(refuse_the_first), pytest.raises(ClientError):
            service.handle(event)
        assert [len(_sent_to(aws, person.email)) for person in (first, second)] == [0, 1]
        assert [service.handle(event) for _ in range(2)] == [1, 0]
        assert [len(_sent_to(aws, person.email)) for person in (first, second)] == [1, 1]

    def test_the_first_failure_is_the_one_that_is_told(
        self, aws: Aws, for_both: Callable[[list[domain.Person]], None]
    ) -> None:
        first, second = (domain.Person(f"{ids.new('user').lower()}@example.com", "Robin") for _ in range(2))
        for_both([first, second])
        event = news("job.failed")
        store.claim(event.id, "job_failed", first.email, clock.now())
        with _before_sending(lambda **_: REFUSED), pytest.raises(DeliveryInProgress):
            service.handle(event)

    def test_one_person_in_two_parts_gets_one(self, aws: Aws, for_both: Callable[[list[domain.Person]], None]) -> None:
        address = f"{ids.new('user').lower()}@example.com"
        for_both([domain.Person(address, "Robin"), domain.Person(address.upper(), "Robin")])
        assert service.handle(news("job.failed")) == 1

    def test_their_keys_hold_no_address(self) -> None:
        assert "robin" not in store.delivery_sk("job_failed", "robin@example.com")
        assert store.delivery_sk("a", "Robin@Example.com") == store.delivery_sk("a", "robin@example.com")
        assert store.delivery_sk("a", "x@example.com") != store.delivery_sk("b", "x@example.com")


@pytest.mark.part("NTF-1")
class TestRecipient:
    """Whom a mail goes to, and what is in it for them."""

    def test_news_of_an_org_go_to_its_owner(self, aws: Aws) -> None:
        somebody = people.verified()
        event = Event(
            type="job.failed",
            org_id=somebody.principal.org_id,
            data={name: value for name, value in SAMPLES["job.failed"].items() if name != "email"},
        )
        assert service.handle(event) == 1
        (mail,) = _sent_to(aws, somebody.email)
        assert mail["To"] == [somebody.email]
        assert service.recipients(event, message_of(event)) == [domain.Person(somebody.email, "Ada Lovelace", "en")]

    def test_the_address_in_the_news_comes_first(self, aws: Aws) -> None:
        """A sign-up is mailed to the address that asked, not to whoever owns an org."""
        event = news("user.verification_requested", locale="de")
        assert service.recipients(event, message_of(event)) == [domain.Person("robin@example.com", "Robin", "de")]

    def test_links_work_as_long_as_the_mail_says(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now)
        signed: list[tuple[str, datetime]] = []

        def sign(key: str, expires_at: datetime) -> str:
            signed.append((key, expires_at))
            return f"https://cdn.example/{key}"

        monkeypatch.setattr(delivery, "sign", sign)
        mail = service.compose(
            message_of(news("job.succeeded")), news("job.succeeded"), domain.Person("robin@example.com", "Robin")
        )
        until = asset_delivery.expiry(timedelta(days=7))
        assert timedelta(0) <= until - (now + timedelta(days=7)) <= asset_delivery.LINK_STEP
        assert signed == [("assets/a/1.glb", until), ("assets/a/2.webp", until)]
        assert "The links work for 7 days" in mail.text


def _composed(event: Event) -> render.Mail:
    return service.compose(message_of(event), event, domain.Person("robin@example.com", "Robin"))


def _row(event: Event) -> store.Delivery:
    (person,) = service.recipients(event, message_of(event))
    key = store.delivery_sk(message_of(event).template, person.email)
    return store.Delivery.get(store.mail_pk(event.id), key, consistent_read=True)


REFUSED = (
    SimpleNamespace(status_code=400),
    {"Error": {"Code": "MessageRejected", "Message": "Email address is not verified."}, "ResponseMetadata": {}},
)
"""What SES answers to a mail that it does not take."""


@contextmanager
def _before_sending(hook: Callable[..., Any]) -> Iterator[None]:
    """Calls `hook` when SES is about to be asked; what it returns is the answer instead."""
    emitter = client("sesv2").meta.events
    emitter.register("before-call.sesv2.SendEmail", hook)
    try:
        yield
    finally:
        emitter.unregister("before-call.sesv2.SendEmail", hook)
