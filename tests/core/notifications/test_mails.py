"""Mails: what they say, and that each goes out once."""

import html
import json
import re
import urllib.request
from typing import Any

import pytest

from snapforge.kit import clock, ids
from snapforge.kit.events import Event
from snapforge.notifications import domain, render, service, store
from snapforge.notifications.errors import DeliveryInProgress
from tests.support.aws import Aws
from tests.support.links import FROZEN, ends, freeze

ORG = "org_01KA0000000000000000000000"
SAMPLES: dict[str, dict[str, Any]] = {
    "user.verification_requested": {"email": "robin@example.com", "name": "Robin", "token": "abc/+=def"},
    "user.signup_repeated": {"email": "robin@example.com", "name": "Robin"},
    "job.succeeded": {
        "email": "robin@example.com",
        "job_id": "job_1",
        "kind": "scene",
        "charged": 40,
        "files": [{"name": "model.glb", "key": "assets/a/1.glb"}],
        "preview_key": "assets/a/2.webp",
        "notes": ["These pictures are noise."],
    },
    "job.failed": {
        "email": "robin@example.com",
        "job_id": "job_1",
        "kind": "image",
        "charged": 0,
        "released": 12,
        "failure": {"message": "The photos <do> not connect.", "fix": "Take more."},
    },
}


def news(kind: str, **changes: Any) -> Event:
    return Event(type=kind, org_id=ORG, data=SAMPLES[kind] | changes)


def compose(event: Event) -> render.Mail:
    house = domain.MailContext("https://snapforge.example", lambda key: f"https://cdn.example/{key}?Signature=s")
    template = domain.BY_EVENT[event.type]
    return render.render(
        template, domain.MAILS[template](event, house) | {"name": "Robin", "public_url": house.public_url}
    )


@pytest.mark.part("NTF-1")
class TestTemplates:
    """Subject, text and HTML of each mail."""

    @pytest.mark.parametrize("kind", SAMPLES)
    def test_every_mail_has_all_three_parts_filled(self, kind: str) -> None:
        mail = compose(news(kind))
        assert mail.subject
        assert "\n" not in mail.subject
        for body in (mail.text, mail.html):
            assert "Robin" in body
            assert "{{" not in body

    def test_every_template_folder_belongs_to_a_mail_and_back(self) -> None:
        folders = {path.name for path in render.FOLDER.iterdir() if path.is_dir()} - {"layout"}
        assert folders == set(domain.MAILS) == set(domain.BY_EVENT.values())

    def test_the_verification_link_keeps_its_token_whole(self) -> None:
        assert "/verify-email?token=abc%2F%2B%3Ddef" in compose(news("user.verification_requested")).text

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
        assert service.handle(event) is True
        assert service.handle(event) is False
        assert len(_sent_to(aws, address)) == 1

    def test_the_links_of_a_mail_are_good_for_a_week(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """And up to a quarter of an hour more."""
        freeze(monkeypatch)
        mail = service.compose("job_succeeded", news("job.succeeded"), domain.Person("robin@example.com", "Robin"))
        for body in (mail.text, html.unescape(mail.html)):
            links = re.findall(r"http://\S+/assets/[^\s\"<]+", body)
            assert {ends(link) for link in links} == {FROZEN.replace(day=8, minute=15)}

    def test_other_news_sends_none(self, aws: Aws) -> None:
        assert service.handle(Event(type="invoice.viewed", org_id=ORG)) is False

    def test_a_mail_that_another_sender_holds_is_left_for_redelivery(self, aws: Aws) -> None:
        event = news("job.succeeded")
        assert store.claim(event.id, "job_succeeded", clock.now()) is not None
        with pytest.raises(DeliveryInProgress):
            service.handle(event)

    def test_a_dead_senders_claim_runs_out(self, aws: Aws) -> None:
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.succeeded", email=address)
        store.claim(event.id, "job_succeeded", clock.now() - 2 * domain.CLAIM_KEPT)
        assert service.handle(event) is True
        assert len(_sent_to(aws, address)) == 1

    def test_a_mail_that_ses_refuses_is_tried_again(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        address = f"{ids.new('user').lower()}@example.com"
        event = news("job.failed", email=address)
        with monkeypatch.context() as broken:
            broken.setenv("MAIL_FROM", "")
            with pytest.raises(RuntimeError):
                service.handle(event)
        store.give_up(store.Delivery.get(f"mail#{event.id}", "delivery"))
        assert service.handle(event) is True
        assert len(_sent_to(aws, address)) == 1
