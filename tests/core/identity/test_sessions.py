"""Log in, refresh, log out: on a real DynamoDB emulation, with races in eight processes."""

import re
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher

from snapforge.identity import domain, store
from snapforge.identity.errors import ForeignOrigin, RefreshReused, SessionOver, WrongCredentials
from snapforge.identity.service import passwords, sessions
from snapforge.identity.service.sessions import Opened
from snapforge.kit import clock, ids
from snapforge.kit.errors import Unauthenticated
from tests.core.identity.conftest import Race
from tests.support import people
from tests.support.aws import Aws
from tests.support.people import OURS, cookie_of

pytestmark = pytest.mark.part("ID-2")


def refresh(opened: Opened) -> Opened:
    """Refresh with the cookie of an answer."""
    return sessions.refresh(cookie_of(opened), OURS)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> "Later":
    """Lets time pass."""
    return Later(monkeypatch)


class Later:
    """Moves the one clock, and the process's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._now = clock.now
        self._monotonic = time.monotonic

    def pass_(self, seconds: float) -> None:
        """So many seconds after the real present."""
        self._monkeypatch.setattr(clock, "now", lambda: self._now() + timedelta(seconds=seconds))
        self._monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: self._monotonic() + seconds))


def _session_of(opened: Opened) -> store.Session:
    """Its row."""
    token = domain.parse_refresh_token(cookie_of(opened)[domain.REFRESH_COOKIE])
    assert token is not None
    row, _ = store.session_rows(token.user_id, token.session_id)
    assert row is not None
    return row


class TestLogIn:
    """E-mail and password."""

    @pytest.mark.part("ID-1")
    def test_a_session_opens(self, aws: Aws) -> None:
        """The access token names user, org and session; the cookie is HttpOnly."""
        somebody = people.verified()
        principal = somebody.principal
        assert principal.user_id == somebody.opened.body.user_id
        assert re.fullmatch(ids.pattern("session"), str(principal.session_id))
        assert "HttpOnly" in somebody.opened.cookie
        assert somebody.opened.body.email_verified

    @pytest.mark.part("ID-1")
    def test_wrong_password_and_unknown_address_look_the_same(self, aws: Aws) -> None:
        """Same error, same AWS calls, and a hash is verified in both cases (test_passwords)."""
        somebody = people.verified()
        with people.aws_calls() as wrong, pytest.raises(WrongCredentials) as first:
            people.log_in(somebody.email, "not the password")
        with people.aws_calls() as unknown, pytest.raises(WrongCredentials) as second:
            people.log_in(people.fresh_address(), "not the password")
        assert wrong == unknown == ["GetItem", "Query"]
        assert first.value.document() == second.value.document()

    def test_three_calls(self, aws: Aws) -> None:
        """Look the address up, read the user's rows together, write the session."""
        somebody = people.verified()
        with people.aws_calls() as calls:
            people.log_in(somebody.email)
        assert calls == ["GetItem", "Query", "PutItem"]

    @pytest.mark.part("ID-1")
    def test_an_old_hash_is_renewed(self, aws: Aws) -> None:
        """When the parameters have grown since."""
        somebody = people.verified()
        row = store.user_of(str(somebody.principal.user_id))
        assert row is not None
        weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(people.PASSWORD)
        row.update(actions=[store.User.password_hash.set(weak)])
        people.log_in(somebody.email)
        renewed = store.user_of(row.user_id)
        assert renewed is not None
        assert not passwords.is_outdated(renewed.password_hash)
        assert people.log_in(somebody.email)

    @pytest.mark.part("ID-1")
    def test_a_hash_that_another_login_renewed_is_left_alone(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two logins at once with an old hash: the second finds it renewed, and both are in."""
        somebody = people.verified()
        user_id = str(somebody.principal.user_id)
        monkeypatch.setattr(passwords, "is_outdated", lambda _: True)
        hash_of = passwords.hash_of

        def meanwhile(password: str) -> str:
            store.User(pk=store.user_pk(user_id), sk="profile").update(
                actions=[store.User.password_hash.set(hash_of(password))]
            )
            return "must not be stored"

        monkeypatch.setattr(passwords, "hash_of", meanwhile)
        assert people.log_in(somebody.email)
        row = store.user_of(user_id)
        assert row is not None
        assert row.password_hash.startswith("$argon2id$")

    def test_its_row_tells_from_where_and_goes_when_it_ends(self, aws: Aws) -> None:
        """Address and browser, for the owner to recognise; DynamoDB deletes it no sooner than it is over."""
        row = _session_of(people.verified().opened)
        assert (row.address, row.user_agent) == ("203.0.113.7", "tests")
        assert row.expires_at == row.created_at + timedelta(days=30)
        assert row.ttl == clock.epoch(row.expires_at)

    def test_no_token_is_stored(self, aws: Aws) -> None:
        """Only hashes of the refresh token."""
        somebody = people.verified()
        token = cookie_of(somebody.opened)[domain.REFRESH_COOKIE]
        family, secret = token.split(".")[2:]
        items = aws.client("dynamodb").query(
            TableName=people.TABLE,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": f"user#{somebody.opened.body.user_id}"}},
        )["Items"]
        assert len(items) == 4
        assert family not in str(items)
        assert secret not in str(items)


class TestAccess:
    """Whom an access token stands for."""

    def test_no_call_within_five_seconds(self, aws: Aws, later: Later) -> None:
        """One GetItem for a user and process, however many requests; the next after five seconds."""
        somebody = people.verified()
        sessions._standings.clear()
        with people.aws_calls() as calls:
            for _ in range(20):
                sessions.principal_of_session(somebody.opened.body.access_token)
        assert [name for name in calls if name != "GetSecretValue"] == ["GetItem"]
        later.pass_(4.9)
        with people.aws_calls() as calls:
            sessions.principal_of_session(somebody.opened.body.access_token)
        assert calls == []
        later.pass_(5.1)
        with people.aws_calls() as calls:
            sessions.principal_of_session(somebody.opened.body.access_token)
        assert calls == ["GetItem"]

    def test_a_token_of_nobody(self, aws: Aws) -> None:
        """Well signed, but the user is gone."""
        somebody = people.verified()
        store.Standing(pk=store.user_pk(somebody.opened.body.user_id), sk="epoch").delete()
        with pytest.raises(Unauthenticated):
            somebody.principal  # noqa: B018

    def test_the_cache_does_not_grow_for_ever(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that sees many users starts over."""
        monkeypatch.setattr(sessions, "_MAX_CACHED", 1)
        sessions._standings.clear()
        first, second = people.verified(), people.verified()
        assert first.principal
        assert second.principal
        assert len(sessions._standings) == 1

    @pytest.mark.parametrize(("users", "kept"), [(9_999, 10_000), (10_000, 1)])
    def test_ten_thousand_users_are_remembered(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch, users: int, kept: int
    ) -> None:
        somebody = people.verified()
        other = domain.Standing(epoch=1, ended={}, verified=True)
        monkeypatch.setattr(sessions, "_standings", {f"usr_{number}": (0.0, other) for number in range(users)})
        assert somebody.principal
        assert len(sessions._standings) == kept


class TestRefresh:
    """Rotation."""

    def test_it_rotates(self, aws: Aws) -> None:
        """A new token each time, in the same session."""
        somebody = people.verified()
        second = refresh(somebody.opened)
        third = refresh(second)
        assert len({somebody.opened.cookie, second.cookie, third.cookie}) == 3
        principal = sessions.principal_of_session(third.body.access_token)
        assert principal.session_id == somebody.principal.session_id

    def test_two_calls(self, aws: Aws) -> None:
        """Read session and standing together; rotate in one conditional transaction."""
        somebody = people.verified()
        with people.aws_calls() as calls:
            refresh(somebody.opened)
        assert calls == ["BatchGetItem", "TransactWriteItems"]

    @pytest.mark.parametrize("verified", [True, False])
    def test_it_says_whether_the_address_is_verified(self, aws: Aws, verified: bool) -> None:
        """So does an answer that is given again."""
        somebody = people.verified() if verified else people.unverified()
        refreshed = [refresh(somebody.opened).body.email_verified for _ in range(2)]
        assert [somebody.opened.body.email_verified, *refreshed] == [verified] * 3

    def test_a_lost_answer_is_not_given_again_once_all_devices_are_logged_out(self, aws: Aws) -> None:
        somebody = people.verified()
        refresh(somebody.opened)
        sessions.log_out_all_devices(somebody.principal)
        with pytest.raises(SessionOver):
            refresh(somebody.opened)

    def test_a_lost_answer_is_given_again(self, aws: Aws) -> None:
        """The same successor within ten seconds, as long as nobody used it."""
        somebody = people.verified()
        lost = refresh(somebody.opened)
        again = refresh(somebody.opened)
        assert again.cookie == lost.cookie
        assert refresh(again)

    def test_reuse_ends_the_session_for_both(self, aws: Aws, later: Later) -> None:
        """A rotated token that comes back later is theft: family, successor and access tokens die."""
        somebody = people.verified()
        second = refresh(somebody.opened)
        later.pass_(11)
        with pytest.raises(RefreshReused):
            refresh(somebody.opened)
        with pytest.raises(SessionOver):
            refresh(second)
        with pytest.raises(Unauthenticated):
            sessions.principal_of_session(second.body.access_token)
        events = people.events(somebody.opened.body.user_id)
        assert events[-1]["type"] == "session.reuse_detected"

    def test_reuse_is_seen_within_the_grace_once_the_successor_was_used(self, aws: Aws) -> None:
        """A thief who comes second has no ten seconds."""
        somebody = people.verified()
        second = refresh(somebody.opened)
        third = refresh(second)
        with pytest.raises(RefreshReused):
            refresh(somebody.opened)
        with pytest.raises(SessionOver):
            refresh(third)

    def test_reuse_in_one_session_leaves_the_others(self, aws: Aws) -> None:
        """Another device stays logged in."""
        somebody = people.verified()
        other = people.log_in(somebody.email)
        second = refresh(somebody.opened)
        refresh(second)
        with pytest.raises(RefreshReused):
            refresh(somebody.opened)
        assert sessions.principal_of_session(other.body.access_token)
        assert refresh(other)

    def test_eight_at_once_get_one_successor(self, aws: Aws, race: Race) -> None:
        """Eight tabs with one cookie: one rotation, one answer, no false alarm."""
        somebody = people.verified()
        cookies = race(people.refresh_once, cookie_of(somebody.opened))
        assert len(set(cookies)) == 1
        assert cookies[0].startswith("__Host-sf_refresh=usr_")
        assert sessions.refresh({domain.REFRESH_COOKIE: cookies[0].split(";")[0].partition("=")[2]}, OURS)

    def test_eight_reuses_at_once_end_it_once(self, aws: Aws, race: Race) -> None:
        """All are refused, one event tells of it."""
        somebody = people.verified()
        refresh(refresh(somebody.opened))
        outcomes = race(people.refresh_once, cookie_of(somebody.opened))
        assert set(outcomes) <= {"RefreshReused", "SessionOver"}
        assert "RefreshReused" in outcomes
        types = [event["type"] for event in people.events(somebody.opened.body.user_id)]
        assert types.count("session.reuse_detected") == 1

    def test_an_invented_secret_ends_nothing(self, aws: Aws) -> None:
        """Ids alone harm nobody."""
        somebody = people.verified()
        stranger = domain.new_refresh_token(somebody.opened.body.user_id, str(somebody.principal.session_id))
        with pytest.raises(SessionOver):
            sessions.refresh({domain.REFRESH_COOKIE: stranger.text}, OURS)
        assert refresh(somebody.opened)

    @pytest.mark.parametrize("cookies", [{}, {domain.REFRESH_COOKIE: ""}, {domain.REFRESH_COOKIE: "x" * 200}])
    def test_no_cookie(self, aws: Aws, cookies: dict[str, str]) -> None:
        """No session, no call."""
        with people.aws_calls() as calls, pytest.raises(SessionOver):
            sessions.refresh(cookies, OURS)
        assert calls == []

    def test_an_unknown_session(self, aws: Aws) -> None:
        """Swept away long ago."""
        token = domain.new_refresh_token(ids.new("user"), ids.new("session"))
        with pytest.raises(SessionOver):
            sessions.refresh({domain.REFRESH_COOKIE: token.text}, OURS)

    def test_an_idle_session_expires(self, aws: Aws, later: Later) -> None:
        """Thirty days without a refresh, whether DynamoDB has deleted the row or not."""
        somebody = people.verified()
        later.pass_(30 * 86400 + 1)
        with pytest.raises(SessionOver):
            refresh(somebody.opened)

    def test_ninety_days_are_all_however_often_it_is_refreshed(self, aws: Aws, later: Later) -> None:
        """Each refresh gives thirty days more, none moves the end: neither for us, nor for DynamoDB's TTL."""
        opened = people.verified().opened
        row = _session_of(opened)
        ends = row.created_at + domain.SESSION_LIFE
        for day, until in ((29, 59), (58, 88), (87, 90), (89, 90)):
            later.pass_(day * 86400)
            opened = refresh(opened)
            row = _session_of(opened)
            assert row.created_at + domain.SESSION_LIFE == ends
            assert abs(row.expires_at - (ends - timedelta(days=90 - until))) < timedelta(minutes=1)
            assert row.ttl == clock.epoch(row.expires_at)
        assert row.expires_at == ends
        later.pass_(90 * 86400 - 60)
        opened = refresh(opened)
        later.pass_(90 * 86400)
        with pytest.raises(SessionOver):
            refresh(opened)

    def test_an_idle_sessions_days_are_counted_from_its_last_refresh(self, aws: Aws, later: Later) -> None:
        opened = people.verified().opened
        later.pass_(20 * 86400)
        opened = refresh(opened)
        later.pass_(50 * 86400 - 60)
        assert refresh(opened)

    def test_other_sites_cannot(self, aws: Aws) -> None:
        """The header is needed, and a foreign Origin refused, before anything is read."""
        somebody = people.verified()
        for headers in ({}, OURS | {"origin": "https://evil.example"}):
            with people.aws_calls() as calls, pytest.raises(ForeignOrigin):
                sessions.refresh(cookie_of(somebody.opened), headers)
            assert calls == []
        assert sessions.refresh(cookie_of(somebody.opened), OURS | {"origin": "http://127.0.0.1:9"})


class TestLogOut:
    """One session, and all of them."""

    def test_the_session_is_over(self, aws: Aws) -> None:
        """Refresh and access token; the cookie is cleared; other devices stay; twice is fine."""
        somebody = people.verified()
        other = people.log_in(somebody.email)
        for _ in range(2):
            assert "Max-Age=0" in sessions.log_out(cookie_of(somebody.opened), OURS)
        with pytest.raises(SessionOver):
            refresh(somebody.opened)
        with pytest.raises(Unauthenticated):
            somebody.principal  # noqa: B018
        assert sessions.principal_of_session(other.body.access_token)

    @pytest.mark.parametrize("everywhere", [False, True])
    def test_in_this_process_at_once(self, aws: Aws, everywhere: bool) -> None:
        """Though it had just read that the session stands."""
        somebody = people.verified()
        principal = somebody.principal
        if everywhere:
            sessions.log_out_all_devices(principal)
        else:
            sessions.log_out(cookie_of(somebody.opened), OURS)
        with pytest.raises(Unauthenticated) as over:
            somebody.principal  # noqa: B018
        assert over.value.headers == {"WWW-Authenticate": 'Bearer realm="snapforge", error="invalid_token"'}

    def test_in_other_processes_within_five_seconds(
        self, aws: Aws, processes: ProcessPoolExecutor, later: Later
    ) -> None:
        """Another process logs out; this one finds out when its knowledge is five seconds old."""
        somebody = people.verified()
        assert somebody.principal
        processes.submit(people.log_out_here, cookie_of(somebody.opened)).result()
        later.pass_(5)
        with pytest.raises(Unauthenticated):
            somebody.principal  # noqa: B018

    def test_all_devices_within_five_seconds(self, aws: Aws, processes: ProcessPoolExecutor, later: Later) -> None:
        """Every access and refresh token of the user, in every process; new logins work."""
        somebody = people.verified()
        other = people.log_in(somebody.email)
        principal = somebody.principal
        assert sessions.principal_of_session(other.body.access_token)
        processes.submit(people.log_out_everywhere, principal).result()
        later.pass_(5)
        for opened in (somebody.opened, other):
            with pytest.raises(Unauthenticated):
                sessions.principal_of_session(opened.body.access_token)
            with pytest.raises(SessionOver):
                refresh(opened)
        assert sessions.principal_of_session(people.log_in(somebody.email).body.access_token)

    def test_all_devices_leaves_other_users(self, aws: Aws) -> None:
        """Of course."""
        somebody, other = people.verified(), people.verified()
        sessions.log_out_all_devices(somebody.principal)
        assert other.principal
        assert refresh(other.opened)

    def test_an_epoch_that_ends_while_refreshing(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """Log-out-all between the refresh's read and its write: the transaction refuses."""
        somebody = people.verified()
        principal = somebody.principal
        read = store.session_rows

        def read_then_log_out(user_id: str, session_id: str) -> object:
            rows = read(user_id, session_id)
            sessions.log_out_all_devices(principal)
            return rows

        monkeypatch.setattr(store, "session_rows", read_then_log_out)
        with pytest.raises(SessionOver):
            refresh(somebody.opened)

    def test_a_log_out_while_refreshing(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is rotated in an ended session."""
        somebody = people.verified()
        read, once = store.session_rows, iter([True])

        def read_then_log_out(user_id: str, session_id: str) -> object:
            rows = read(user_id, session_id)
            if next(once, False):
                sessions.log_out(cookie_of(somebody.opened), OURS)
            return rows

        monkeypatch.setattr(store, "session_rows", read_then_log_out)
        with pytest.raises(SessionOver):
            refresh(somebody.opened)

    def test_without_a_session_it_still_clears_the_cookie(self, aws: Aws) -> None:
        """No cookie, an unknown session, an invented secret that ends nothing."""
        somebody = people.verified()
        stranger = domain.new_refresh_token(somebody.opened.body.user_id, str(somebody.principal.session_id))
        unknown = domain.new_refresh_token(ids.new("user"), ids.new("session"))
        for cookies in ({}, {domain.REFRESH_COOKIE: stranger.text}, {domain.REFRESH_COOKIE: unknown.text}):
            assert "Max-Age=0" in sessions.log_out(cookies, OURS)
        assert refresh(somebody.opened)

    def test_other_sites_cannot(self, aws: Aws) -> None:
        """Logging somebody out is an act, too."""
        with pytest.raises(ForeignOrigin):
            sessions.log_out({}, {})

    def test_the_list_of_ended_sessions_stays_short(self, aws: Aws, later: Later) -> None:
        """It forgets those whose access tokens have expired."""
        somebody = people.verified()
        sessions.log_out(cookie_of(somebody.opened), OURS)
        user_id = somebody.opened.body.user_id
        later.pass_(700)
        sessions.log_out(cookie_of(people.log_in(somebody.email)), OURS)
        standing = store.standing_of(user_id)
        assert standing is not None
        assert len(standing.ended) == 1
        assert standing.epoch == 1

    @pytest.mark.parametrize("seconds", [61, 599])
    def test_another_log_out_does_not_revive_the_first_ones_token(self, aws: Aws, later: Later, seconds: int) -> None:
        """An ended session stays in the list until the last access token it can have has expired."""
        somebody = people.verified()
        other = people.log_in(somebody.email)
        last = refresh(somebody.opened)
        sessions.log_out(cookie_of(last), OURS)
        later.pass_(seconds)
        sessions.log_out(cookie_of(other), OURS)
        for opened in (somebody.opened, last, other):
            with pytest.raises(Unauthenticated):
                sessions.principal_of_session(opened.body.access_token)
        standing = store.standing_of(somebody.opened.body.user_id)
        assert standing is not None
        assert len(standing.ended) == 2
        assert standing.epoch == 1

    def test_a_second_log_out_of_one_session_moves_nothing(self, aws: Aws, later: Later) -> None:
        """Its entry keeps its time, so that the list cannot be kept long by repeating."""
        somebody = people.verified()
        user_id = somebody.opened.body.user_id
        sessions.log_out(cookie_of(somebody.opened), OURS)
        before = store.standing_of(user_id)
        later.pass_(300)
        sessions.log_out(cookie_of(somebody.opened), OURS)
        assert store.standing_of(user_id) == before

    def test_too_many_at_once_end_all(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        """More logouts within minutes than anybody makes: the row stays small, all sessions end."""
        monkeypatch.setattr(sessions, "_MAX_ENDED", 1)
        somebody = people.verified()
        others = [people.log_in(somebody.email) for _ in range(2)]
        for opened in (somebody.opened, others[0]):
            sessions.log_out(cookie_of(opened), OURS)
        with pytest.raises(Unauthenticated):
            sessions.principal_of_session(others[1].body.access_token)

    @pytest.mark.parametrize(("ended", "all_end"), [(49, False), (50, True)])
    def test_fifty_ended_sessions_fit_into_a_row(self, aws: Aws, ended: int, all_end: bool) -> None:
        somebody = people.verified()
        other = people.log_in(somebody.email)
        later = clock.epoch(clock.now()) + 300
        row = store.Standing(pk=store.user_pk(somebody.opened.body.user_id), sk="epoch")
        row.update(actions=[store.Standing.ended.set({f"ses_{number}": later for number in range(ended)})])
        sessions.log_out(cookie_of(somebody.opened), OURS)
        standing = store.standing_of(somebody.opened.body.user_id)
        assert standing is not None
        assert (standing.epoch, len(standing.ended)) == ((2, 0) if all_end else (1, ended + 1))
        if all_end:
            with pytest.raises(SessionOver):
                refresh(other)

    def test_it_is_remembered_a_minute_longer_than_its_last_token_lives(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Clocks of hosts differ."""
        somebody = people.verified()
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now)
        sessions.log_out(cookie_of(somebody.opened), OURS)
        standing = store.standing_of(somebody.opened.body.user_id)
        assert standing is not None
        assert list(standing.ended.values()) == [clock.epoch(now) + 10 * 60 + 60]
