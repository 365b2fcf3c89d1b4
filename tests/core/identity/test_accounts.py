"""Sign up, verification, and who one is, on a real DynamoDB emulation."""

import re
from datetime import timedelta

import pytest

from snapforge.identity import domain, schemas, store
from snapforge.identity.errors import VerificationOver, WeakPassword, WrongCredentials
from snapforge.identity.service import accounts, keys, sessions
from snapforge.kit import clock, ids
from snapforge.kit.errors import NotFound, Unauthenticated
from snapforge.kit.permissions import OrgRole, Permission
from tests.core.identity.conftest import Race
from tests.support import people
from tests.support.aws import Aws


@pytest.mark.part("ID-1")
class TestSignUp:
    """An account, a personal org, a mail."""

    def test_an_account_with_a_personal_org(self, aws: Aws) -> None:
        """The user owns an org of their name, and can look around before verifying."""
        somebody = people.unverified()
        me = accounts.me(somebody.principal)
        assert me.user is not None
        assert (me.user.email, me.user.email_verified) == (somebody.email, False)
        assert (me.org.personal, me.org.role, me.org.id) == (True, OrgRole.owner, somebody.opened.body.org_id)
        assert Permission.jobs_create not in me.permissions
        assert Permission.jobs_read in me.permissions

    def test_one_mail_is_asked_for(self, aws: Aws) -> None:
        """With address, name and token; no `user.signed_up` yet, so a throwaway address gets no credits."""
        email = people.fresh_address()
        people.sign_up(email)
        found = people.events(email)
        assert [event["type"] for event in found] == ["user.verification_requested"]
        assert (found[0]["data"]["email"], found[0]["data"]["name"]) == (email, "Ada Lovelace")
        assert re.fullmatch(ids.pattern("org"), found[0]["org_id"])

    def test_nothing_secret_is_stored_in_the_open(self, aws: Aws) -> None:
        """Neither the password nor the token stands in any row but the outbox's event."""
        email = people.fresh_address()
        people.sign_up(email)
        token = people.links(email)[0]
        rows = aws.client("dynamodb").get_paginator("scan").paginate(TableName=people.TABLE)
        others = [item for page in rows for item in page["Items"] if not item["pk"]["S"].startswith("outbox#")]
        assert others
        assert [item for item in others if token in str(item) or people.PASSWORD in str(item)] == []

    def test_a_known_address_is_not_betrayed(self, aws: Aws) -> None:
        """A second sign-up changes nothing for a verified user; the owner gets a mail, the caller no error."""
        somebody = people.verified()
        people.sign_up(somebody.email.upper().replace("EXAMPLE.COM", "example.com"), "another long sentence")
        assert people.events(somebody.email)[-1]["type"] == "user.signup_repeated"
        assert people.log_in(somebody.email)
        with pytest.raises(WrongCredentials):
            people.log_in(somebody.email, "another long sentence")

    def test_known_and_unknown_take_the_same_calls(self, aws: Aws) -> None:
        """Apart from one read, which the Argon2 hash before it hides."""
        email = people.fresh_address()
        with people.aws_calls() as first:
            people.sign_up(email)
        with people.aws_calls() as second:
            people.sign_up(email)
        assert first == ["UpdateItem", "GetItem", "TransactWriteItems"]
        assert second == ["UpdateItem", "GetItem", "GetItem", "TransactWriteItems"]

    def test_an_address_taken_between_looking_and_writing(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """The transaction refuses, and the second sign-up is a repeated one."""
        email = people.fresh_address()
        read, once = store.claim_of, iter([True])

        def look_then_lose(address: str) -> store.EmailClaim | None:
            if next(once, False):
                people.sign_up(email)
                return None
            return read(address)

        monkeypatch.setattr(store, "claim_of", look_then_lose)
        people.sign_up(email)
        assert len({event["data"]["user_id"] for event in people.events(email)}) == 1
        assert len(people.links(email)) == 2

    @pytest.mark.parametrize("password", ["short", "password123", "x" * 201])
    def test_a_weak_password_is_refused(self, aws: Aws, password: str) -> None:
        """With a code and a fix, and nothing written."""
        email = people.fresh_address()
        with pytest.raises(WeakPassword) as refused:
            people.sign_up(email, password)
        assert refused.value.document()["fix"]
        assert store.claim_of(email) is None

    def test_a_mailbox_is_not_flooded(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """Five mails an hour to one address, whoever asks and however."""
        begin = clock.now().replace(minute=0, second=0, microsecond=0)
        monkeypatch.setattr(clock, "now", lambda: begin)
        email = people.fresh_address()
        for _ in range(4):
            people.sign_up(email)
        for _ in range(4):
            accounts.resend_verification(schemas.ResendVerification(email=email))
        assert len(people.links(email)) == 5
        for seconds, mails in ((3599, 5), (3600, 6)):
            monkeypatch.setattr(clock, "now", lambda: begin + timedelta(seconds=seconds))  # noqa: B023 - called now
            accounts.resend_verification(schemas.ResendVerification(email=email))
            assert len(people.links(email)) == mails

    def test_eight_at_once_make_one_account(self, aws: Aws, race: Race) -> None:
        """All are told the same; one user owns the address."""
        email = people.fresh_address()
        assert race(people.sign_up_once, email, clock.now()) == ["done"] * 8
        assert len({event["data"]["user_id"] for event in people.events(email)}) == 1
        assert len(people.links(email)) == 5
        assert people.log_in(email)


@pytest.mark.part("ID-1")
class TestVerifyEmail:
    """The link in the mail."""

    def test_a_link_opens_the_account(self, aws: Aws) -> None:
        """The same access token can do more at once, and the grant's event goes out."""
        somebody = people.unverified()
        people.verify(people.links(somebody.email)[0])
        service_time_passes()
        assert Permission.jobs_create in somebody.principal.permissions
        signed_up = people.events(somebody.email)[-1]
        assert signed_up["type"] == "user.signed_up"
        assert signed_up["org_id"] == somebody.opened.body.org_id
        assert signed_up["data"]["user_id"] == somebody.opened.body.user_id

    def test_a_second_click_changes_nothing(self, aws: Aws) -> None:
        """No error for the user, no second event, for this link or an older one."""
        email = people.fresh_address()
        people.sign_up(email)
        accounts.resend_verification(schemas.ResendVerification(email=email))
        for token in people.links(email) * 2:
            people.verify(token)
        assert [event["type"] for event in people.events(email)].count("user.signed_up") == 1

    def test_eight_clicks_at_once_are_one(self, aws: Aws, race: Race) -> None:
        """One event, so one grant."""
        email = people.fresh_address()
        people.sign_up(email)
        assert race(people.verify_once, people.links(email)[0]) == ["done"] * 8
        assert [event["type"] for event in people.events(email)].count("user.signed_up") == 1

    def test_a_link_lives_a_day(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then it is gone, and the error says what to do."""
        email = people.fresh_address()
        people.sign_up(email)
        later = clock.now() + timedelta(hours=24, seconds=1)
        monkeypatch.setattr(clock, "now", lambda: later)
        with pytest.raises(VerificationOver) as over:
            people.verify(people.links(email)[0])
        assert "resend" in over.value.document()["fix"]

    @pytest.mark.parametrize(("seconds", "works"), [(-1, True), (0, False)])
    def test_to_the_second(self, aws: Aws, monkeypatch: pytest.MonkeyPatch, seconds: int, works: bool) -> None:
        """Its row says when, and DynamoDB deletes it no sooner."""
        email = people.fresh_address()
        people.sign_up(email)
        (token,) = people.links(email)
        row = store.Verification.get(f"verify#{domain.sha256(token)}", "verify")
        assert row.ttl == clock.epoch(row.expires_at)
        then = row.expires_at + timedelta(seconds=seconds)
        monkeypatch.setattr(clock, "now", lambda: then)
        if works:
            people.verify(token)
            assert [event["type"] for event in people.events(email)].count("user.signed_up") == 1
            return
        with pytest.raises(VerificationOver):
            people.verify(token)

    def test_a_change_between_reading_and_writing_is_seen(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """A login renews the password's hash meanwhile: the verification decides again."""
        email = people.fresh_address()
        people.sign_up(email)
        read, once = store.user_of, iter([True])

        def read_then_change(user_id: str) -> store.User | None:
            user = read(user_id)
            if user is not None and next(once, False):
                store.User(pk=user.pk, sk=user.sk).update(actions=[store.User.password_hash.set("renewed")])
            return user

        monkeypatch.setattr(store, "user_of", read_then_change)
        people.verify(people.links(email)[0])
        assert [event["type"] for event in people.events(email)].count("user.signed_up") == 1

    def test_a_user_who_is_gone(self, aws: Aws) -> None:
        """The link outlived the account."""
        somebody = people.unverified()
        store.User(pk=store.user_pk(somebody.opened.body.user_id), sk="profile").delete()
        with pytest.raises(VerificationOver):
            people.verify(people.links(somebody.email)[0])

    def test_an_invented_token_is_refused(self, aws: Aws) -> None:
        """As if it were too old."""
        with pytest.raises(VerificationOver):
            people.verify("sfv_" + "a" * 43)

    def test_a_stranger_who_came_first_is_out(self, aws: Aws) -> None:
        """Somebody signs up with another's address and waits; when the owner signs up and follows *their* link, the
        account has the owner's password and name, and the stranger's session is over."""
        email = people.fresh_address()
        people.sign_up(email, "the stranger's sentence", name="Stranger")
        stranger = people.log_in(email, "the stranger's sentence")
        people.sign_up(email, "the owner's sentence", name="Owner")
        people.verify(people.links(email)[1])
        service_time_passes()
        owner = people.log_in(email, "the owner's sentence")
        me = accounts.me(sessions.principal_of_session(owner.body.access_token))
        assert me.user is not None
        assert (me.user.name, me.org.name) == ("Owner", "Owner")
        with pytest.raises(Unauthenticated):
            sessions.principal_of_session(stranger.body.access_token)
        with pytest.raises(WrongCredentials):
            people.log_in(email, "the stranger's sentence")


@pytest.mark.part("ID-1")
class TestResend:
    """Another mail."""

    def test_an_unverified_user_gets_another_link(self, aws: Aws) -> None:
        """Both links work; the first one is not killed by impatience."""
        somebody = people.unverified()
        accounts.resend_verification(schemas.ResendVerification(email=somebody.email))
        first, second = people.links(somebody.email)
        assert first != second
        people.verify(first)

    def test_nobody_else_does(self, aws: Aws) -> None:
        """Unknown and verified addresses get no mail; the caller is told nothing."""
        somebody, nobody = people.verified(), people.fresh_address()
        for email in (somebody.email, nobody):
            accounts.resend_verification(schemas.ResendVerification(email=email))
        assert len(people.links(somebody.email)) == 1
        assert people.events(nobody) == []


@pytest.mark.part("ID-1")
class TestMe:
    """Who asks."""

    def test_one_call(self, aws: Aws) -> None:
        """User, org and role together."""
        principal = people.verified().principal
        with people.aws_calls() as calls:
            accounts.me(principal)
        assert calls == ["BatchGetItem"]

    def test_a_user_who_is_gone_is_nobody(self, aws: Aws) -> None:
        """Though the token would still hold."""
        somebody = people.verified()
        store.User(pk=store.user_pk(somebody.opened.body.user_id), sk="profile").delete()
        with pytest.raises(Unauthenticated):
            accounts.me(somebody.principal)

    @pytest.mark.part("ID-8")
    def test_a_key_has_an_org_but_no_user(self, aws: Aws) -> None:
        """And says which key it is."""
        key = people.new_key(people.verified().principal)
        principal, _ = keys.principal_of_key(key.key)
        me = accounts.me(principal)
        assert (me.user, me.key_id, me.org.role, me.permissions) == (None, key.id, None, [Permission.jobs_read])


class TestOwner:
    """Whom other contexts write to."""

    @pytest.mark.part("NTF-1")
    def test_the_owner_of_an_org(self, aws: Aws) -> None:
        """Address, name and language."""
        somebody = people.verified()
        assert accounts.address_of_org_owner(somebody.principal.org_id) == (somebody.email, "Ada Lovelace", "en")

    def test_no_org(self, aws: Aws) -> None:
        """Is an error, not a mail to nobody."""
        with pytest.raises(NotFound):
            accounts.address_of_org_owner(ids.new("org"))


def service_time_passes() -> None:
    """Five seconds pass: what this process knew of standings is forgotten."""
    from snapforge.identity.service import sessions

    sessions._standings.clear()
