"""The decisions of identity, without I/O."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapforge.identity import domain
from snapforge.identity.common_passwords import COMMON
from snapforge.identity.domain import Family, Verdict
from snapforge.kit import ids
from snapforge.kit.permissions import KEY_SCOPES, OrgRole, Permission

NOW = datetime(2026, 11, 21, 2, 20, tzinfo=UTC)


@pytest.mark.part("ID-1")
class TestAddresses:
    """E-mail addresses as they are stored and compared."""

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("ada@example.com", "ada@example.com"),
            ("  Ada.L@EXAMPLE.Com ", "Ada.L@example.com"),
            ("ada+x@bücher.example", "ada+x@xn--bcher-kva.example"),
            ("\uff41da@example.com", "ada@example.com"),
        ],
    )
    def test_an_address_is_normalised(self, typed: str, kept: str) -> None:
        """Trimmed, NFKC, domain in lower-case ASCII; the local part keeps its case."""
        assert domain.normalise_email(typed) == kept

    @pytest.mark.parametrize(
        "typed",
        [
            "", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "ada@exa mple.com",
            ".ada@example.com", "ada.@example.com", "ada@-example.com", "ada@example..com", "ada\n@example.com",
            "a,b@example.com", "x" * 65 + "@example.com", "ada@" + "a" * 64 + ".com", "ada@" + "a." * 125 + "com",
            "<ada@example.com>",
        ],
    )  # fmt: skip
    def test_no_address_is_refused(self, typed: str) -> None:
        """What cannot be one, or could smuggle a second one into a header, is refused."""
        with pytest.raises(ValueError, match="no e-mail address"):
            domain.normalise_email(typed)

    @pytest.mark.parametrize(("letters", "taken"), [(189, True), (190, False)])
    def test_an_address_has_254_characters_at_most(self, letters: int, taken: bool) -> None:
        """RFC 5321's path, of which the local part may have 64 and a label 63."""
        host = ".".join([*["a" * 63] * 2, "a" * (letters - 2 * 64 - 4), "com"])
        address = f"{'x' * 64}@{host}"
        assert len(address) == letters + 65
        if taken:
            assert domain.normalise_email(address) == address
        else:
            with pytest.raises(ValueError, match="no e-mail address"):
                domain.normalise_email(address)

    @settings(deadline=None)
    @given(
        st.text(max_size=80)
        | st.builds("{}@{}.{}".format, st.text(max_size=20), st.text(max_size=20), st.text(max_size=9))
    )
    def test_any_text_is_an_address_or_none(self, typed: str) -> None:
        """Whatever is typed: a stable address of one line, or a ValueError, never a crash."""
        try:
            address = domain.normalise_email(typed)
        except ValueError:
            return
        assert domain.normalise_email(address) == address
        assert len(address.split()) == 1

    def test_case_makes_no_second_account(self) -> None:
        """Two spellings share one key, and the key does not show the address."""
        key = domain.email_key("Ada@example.com")
        assert key == domain.email_key("ada@example.com") != domain.email_key("bob@example.com")
        assert "ada" not in key


@pytest.mark.part("ID-1")
class TestPasswords:
    """What is refused, and what is equal."""

    def test_a_sentence_is_welcome(self) -> None:
        """No rules on characters."""
        assert domain.password_fault("a kingfisher on three stones", "ada@example.com") is None
        assert domain.password_fault("x" * 197 + "abc", "ada@example.com") is None

    @pytest.mark.parametrize("password", ["four words", "abcd" * 50])
    def test_the_shortest_and_the_longest_are_welcome(self, password: str) -> None:
        """Of ten and of two hundred characters, four different ones among them."""
        assert domain.password_fault(password, "ada@example.com") is None

    @pytest.mark.parametrize("password", ["", "short", "five word", "abcd" * 50 + "x"])
    def test_length_counts(self, password: str) -> None:
        """Ten to two hundred characters."""
        assert "10 to 200" in str(domain.password_fault(password, "ada@example.com"))

    @pytest.mark.parametrize(
        "password", ["password123", "PassWord123", "1234567890", "aaaaaaaaaaaa", "abababababab", "abcabcabcabc"]
    )
    def test_the_worst_are_refused(self, password: str) -> None:
        """Known ones in any case, and those of hardly any different characters."""
        assert "attackers" in str(domain.password_fault(password, "ada@example.com"))

    @pytest.mark.parametrize("password", ["ada.lovelace@example.com", "Ada.Lovelace"])
    def test_the_address_is_no_password(self, password: str) -> None:
        """Neither whole nor its first part."""
        assert "differ" in str(domain.password_fault(password, "ada.lovelace@example.com"))

    def test_all_listed_ones_could_be_chosen(self) -> None:
        """The list holds nothing that length refuses already, and only casefolded words."""
        assert len(COMMON) > 300
        assert all(len(word) >= 10 and word == word.casefold() for word in COMMON)

    def test_two_keyboards_one_password(self) -> None:
        """NFKC makes composed and decomposed letters equal."""
        assert domain.normalise_password("Zoe\u0308 \uff26oe") == domain.normalise_password("Zo\u00eb Foe")


class TestPermissions:
    """What a verified address opens."""

    @pytest.mark.part("ID-1")
    def test_unverified_users_only_look(self) -> None:
        """Uploads, jobs and keys wait for the verification."""
        before = domain.permissions_of(OrgRole.owner, verified=False)
        after = domain.permissions_of(OrgRole.owner, verified=True)
        assert after - before == {Permission.uploads_write, Permission.jobs_create, Permission.keys_manage}
        assert Permission.sessions_manage in before

    def test_a_standing_ends_tokens(self) -> None:
        """Another epoch and an ended session do not count."""
        standing = domain.Standing(epoch=3, ended={"ses_a": 1}, verified=True)
        assert standing.allows(3, "ses_b")
        assert not standing.allows(3, "ses_a")
        assert not standing.allows(2, "ses_b")


def family_of(token: domain.RefreshToken, **more: object) -> Family:
    """A family whose current token is `token`."""
    family = Family(
        family_hash=token.family_hash,
        current_hash=token.hash,
        previous_hash=None,
        created_at=NOW,
        rotated_at=NOW,
        expires_at=NOW + timedelta(days=1),
        revoked_at=None,
    )
    return replace(family, **more)  # type: ignore[arg-type]


@pytest.mark.part("ID-2")
class TestRefreshTokens:
    """Rotation, grace and reuse, as the table's values decide them."""

    def setup_method(self) -> None:
        """A token, and the one that follows from it."""
        self.first = domain.new_refresh_token(ids.new("user"), ids.new("session"))
        self.second = self.first.successor("seed")

    def test_text_and_back(self) -> None:
        """What the cookie holds is read again; other texts are none."""
        assert domain.parse_refresh_token(self.first.text) == self.first
        assert domain.parse_refresh_token(self.second.text) == self.second
        for text in ("", "x", self.first.text + "x", self.first.text[1:], self.first.text.replace("ses_", "job_")):
            assert domain.parse_refresh_token(text) is None

    def test_a_successor_follows_from_token_and_seed_alone(self) -> None:
        """The same again for the same seed, another for another; the family stays."""
        assert self.first.successor("seed") == self.second
        assert self.first.successor("other") != self.second
        assert self.second.family_hash == self.first.family_hash
        assert self.second.hash != self.first.hash

    def test_the_current_one_rotates(self) -> None:
        """The usual case."""
        assert domain.judge(self.first, family_of(self.first), NOW) is Verdict.rotate

    @pytest.mark.parametrize(
        ("seconds", "verdict"), [(0, "again"), (10, "again"), (10.001, "reused"), (9999, "reused")]
    )
    def test_the_previous_one_has_ten_seconds(self, seconds: float, verdict: str) -> None:
        """A lost answer is given again; later it is theft."""
        family = family_of(self.second, previous_hash=self.first.hash)
        assert domain.judge(self.first, family, NOW + timedelta(seconds=seconds)) == verdict

    def test_no_grace_once_the_successor_was_used(self) -> None:
        """Using it made it the previous one, so the first is two rotations old."""
        third = self.second.successor("more")
        family = family_of(third, previous_hash=self.second.hash)
        assert domain.judge(self.first, family, NOW) is Verdict.reused

    def test_ended_and_expired_families_are_over(self) -> None:
        """Whichever token comes."""
        assert domain.judge(self.first, family_of(self.first, revoked_at=NOW), NOW) is Verdict.over
        assert domain.judge(self.first, family_of(self.first, expires_at=NOW), NOW) is Verdict.over

    @settings(deadline=None)
    @given(st.text())
    def test_any_text_is_a_token_or_none(self, text: str) -> None:
        """Cookies and keys come from anywhere."""
        assert domain.parse_refresh_token(text) is None
        assert domain.parse_key(text) is None

    def test_an_invented_token_ends_nothing(self) -> None:
        """Who knows the ids but not the family's secret is a stranger."""
        stranger = domain.new_refresh_token(self.first.user_id, self.first.session_id)
        assert domain.judge(stranger, family_of(self.first), NOW) is Verdict.unknown

    def test_a_session_ends_after_ninety_days_however_busy(self) -> None:
        """Thirty days idle, ninety in all."""
        assert domain.session_expiry(NOW, NOW) == NOW + timedelta(days=30)
        assert domain.session_expiry(NOW, NOW + timedelta(days=80)) == NOW + timedelta(days=90)

    def test_the_cookie_is_locked_down(self) -> None:
        """This host only, no script, no other site, TLS."""
        cookie = domain.refresh_cookie(self.first)
        assert cookie.startswith(f"__Host-sf_refresh={self.first.text}; ")
        assert set(cookie.split("; ")[1:]) == {"Path=/", "Max-Age=2592000", "Secure", "HttpOnly", "SameSite=Strict"}
        assert domain.refresh_cookie(None).startswith("__Host-sf_refresh=; Path=/; Max-Age=0;")


@pytest.mark.part("ID-2")
class TestSameSite:
    """Cookie requests must come from our own pages."""

    OURS = "https://app.example"

    @pytest.mark.parametrize("origin", [None, "https://app.example", "HTTPS://APP.example"])
    def test_ours(self, origin: str | None) -> None:
        """With the header, and no foreign Origin."""
        headers = {"x-requested-with": "snapforge"} | ({"origin": origin} if origin else {})
        assert domain.is_same_site(headers, self.OURS + "/app?x=1")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-requested-with": "XMLHttpRequest"},
            {"origin": "https://app.example"},
            {"x-requested-with": "snapforge", "origin": "https://evil.example"},
            {"x-requested-with": "snapforge", "origin": "http://app.example"},
            {"x-requested-with": "snapforge", "origin": "https://app.example.evil.example"},
            {"x-requested-with": "snapforge", "origin": "null"},
        ],
    )
    def test_not_ours(self, headers: dict[str, str]) -> None:
        """A form on another site can set no header, and a browser tells on a foreign page."""
        assert not domain.is_same_site(headers, self.OURS)


@pytest.mark.part("ID-8")
class TestKeyTexts:
    """API keys as texts."""

    @pytest.mark.parametrize(("test_mode", "prefix"), [(False, "sf_live_"), (True, "sf_test_")])
    def test_a_key_names_itself(self, test_mode: bool, prefix: str) -> None:
        """Mode and id are readable, the secret is only hashed."""
        key_id = ids.new("api_key")
        text = domain.new_key_text(key_id, test_mode=test_mode)
        parsed = domain.parse_key(text)
        assert parsed is not None
        assert (parsed.key_id, parsed.test_mode, parsed.prefix) == (key_id, test_mode, text[:34])
        assert text.startswith(prefix)
        assert parsed.secret_hash == domain.sha256(text)
        assert text[34:] not in repr(parsed)

    def test_a_secret_with_underscores_is_read_whole(self) -> None:
        """base64url has underscores, too."""
        ulid = ids.new("api_key")[4:]
        assert domain.parse_key(f"sf_live_{ulid}_" + "_" * 43) is not None

    @pytest.mark.parametrize("text", ["", "sf_live_x", "sf_prod_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z_" + "a" * 43])
    def test_other_texts_are_no_keys(self, text: str) -> None:
        """They cost no call."""
        assert domain.parse_key(text) is None

    def test_keys_can_only_work(self) -> None:
        """No key manages keys or sessions."""
        assert {Permission.keys_manage, Permission.sessions_manage}.isdisjoint(KEY_SCOPES)


@pytest.mark.part("ID-9")
class TestLimits:
    """Who is counted, and what the headers say."""

    @pytest.mark.parametrize(
        ("address", "bucket"),
        [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7 ", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ],
    )
    def test_one_customer_one_bucket(self, address: str, bucket: str) -> None:
        """IPv6 customers have a whole /64."""
        assert domain.address_bucket(address) == bucket

    def test_an_odd_address_is_counted_as_well(self) -> None:
        """Whatever the edge passed on."""
        assert domain.address_bucket("unknown") == domain.address_bucket("unknown") != domain.address_bucket("other")
        assert re.fullmatch("[0-9a-f]{32}", domain.address_bucket("x#" * 500))

    def test_a_fixed_window(self) -> None:
        """The last one is let in, the next is not; the reset is the window's end."""
        limit, now = domain.Limit(3, 300), datetime(2026, 11, 21, 2, 21, tzinfo=UTC)
        last, over = domain.allowance_of_count(limit, 3, now), domain.allowance_of_count(limit, 4, now)
        assert (last.remaining, last.exceeded, last.reset_seconds) == (0, False, 240)
        assert (over.remaining, over.exceeded) == (0, True)
        assert domain.window_of(limit, now) + 1 == domain.window_of(limit, now + timedelta(seconds=240))

    def test_a_ring_tells_what_is_left(self) -> None:
        """Only requests within the window count; the oldest of them says when there is room."""
        limit = domain.Limit(4, 10)
        allowance = domain.allowance_of_ring(limit, [0, 1_000, 95_500, 100_000], 100_000)
        assert (allowance.remaining, allowance.reset_seconds, allowance.exceeded) == (2, 6, False)

    def test_a_full_ring_tells_when_to_come_back(self) -> None:
        """Never 0 seconds."""
        limit = domain.Limit(2, 10)
        full = domain.allowance_of_ring(limit, [90_001, 99_000], 100_000, exceeded=True)
        assert (full.remaining, full.reset_seconds, full.headers()["Retry-After"]) == (0, 1, "1")

    def test_an_empty_ring(self) -> None:
        """Nothing counts any more."""
        allowance = domain.allowance_of_ring(domain.Limit(2, 10), [0, 0], 100_000)
        assert (allowance.remaining, allowance.reset_seconds, allowance.exceeded) == (2, 10, False)

    def test_a_request_of_ten_seconds_ago_counts_no_more(self) -> None:
        """To the millisecond, as the table decides it."""
        limit = domain.Limit(2, 10)
        assert [domain.allowance_of_ring(limit, [0, at], 100_000).remaining for at in (90_000, 90_001)] == [2, 1]
