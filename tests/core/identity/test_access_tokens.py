"""Access tokens: what is accepted, and all that is not."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest

from snapforge.aws import secrets
from snapforge.identity.service import access_tokens
from snapforge.identity.service.access_tokens import Claims
from snapforge.kit import clock, ids
from snapforge.kit.errors import Unauthenticated
from snapforge.kit.permissions import OrgRole

K1 = {"kid": "k1", "key": "first-key-of-the-tests-" + "1" * 64}
K2 = {"kid": "k2", "key": "second-key-of-the-tests-" + "2" * 64}
K3 = {"kid": "k3", "key": "third-key-of-the-tests-" + "3" * 64}


class Ring:
    """Stands in for Secrets Manager: `now` is what it holds, `cached` what the process has read."""

    def __init__(self, current: dict[str, str], previous: dict[str, str] | None) -> None:
        self.now = self.cached = {"current": current, "previous": previous}
        self.age = 60.0
        """Seconds since the process has read it."""

    def read(self, name: str, *, at_most: float = secrets.KEPT_SECONDS) -> dict[str, Any]:
        """Anew where it is older than the caller's patience."""
        assert name == "session-keys"
        if at_most < self.age:
            self.cached = self.now
        return self.cached


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    """A key ring with k1 current."""
    made = Ring(K1, None)
    monkeypatch.setattr(secrets, "read", made.read)
    monkeypatch.setenv("STAGE", "dev")
    return made


@pytest.fixture
def claims() -> Claims:
    """Of some user."""
    return Claims(ids.new("user"), ids.new("org"), ids.new("session"), OrgRole.owner, 1)


def altered(token: str, change: Callable[[dict[str, Any]], None], header: dict[str, Any] | None = None) -> str:
    """The same token with other claims or header, signed with the right key."""
    payload = jwt.decode(token, options={"verify_signature": False})
    change(payload)
    headers = {"kid": "k1", "typ": access_tokens.TYPE} | (header or {})
    return jwt.encode(payload, K1["key"], algorithm=headers.pop("alg", "HS256"), headers=headers)


def part(value: dict[str, Any]) -> str:
    """A JWT part."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.part("ID-2")
class TestAccessTokens:
    """JWT, HS256, all claims required."""

    def test_issued_and_read(self, ring: Ring, claims: Claims) -> None:
        """What goes in comes out."""
        assert access_tokens.read(access_tokens.issue(claims)) == claims

    def test_it_lives_ten_minutes(self, ring: Ring, claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
        """The expiry stands in it, and holds."""
        payload = jwt.decode(access_tokens.issue(claims), options={"verify_signature": False})
        assert payload["exp"] - payload["iat"] == 600
        past = clock.now() - timedelta(minutes=10, seconds=1)
        monkeypatch.setattr(clock, "now", lambda: past)
        with pytest.raises(Unauthenticated):
            access_tokens.read(access_tokens.issue(claims))

    def test_nothing_longer_is_even_decoded(self, ring: Ring, claims: Claims) -> None:
        """2048 characters hold any token of ours, though the signature of a longer one would fit."""
        token = access_tokens.issue(claims)

        def padded(length: int) -> str:
            """A token of that length or, where base64 has none, one more."""
            return next(
                found
                for letters in range((length - len(token)) * 3 // 4 - 40, length - len(token))
                if len(found := altered(token, lambda payload: payload.update(more="x" * letters))) >= length  # noqa: B023 - called now
            )

        assert len(padded(2047)) <= 2048
        assert access_tokens.read(padded(2048)) == claims
        with pytest.raises(Unauthenticated) as refused:
            access_tokens.read(padded(2049))
        assert refused.value.headers == access_tokens.CHALLENGE

    def test_a_clock_that_runs_ahead_elsewhere_is_no_harm(
        self, ring: Ring, claims: Claims, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Issued three seconds in our future by another host."""
        future = clock.now() + timedelta(seconds=3)
        monkeypatch.setattr(clock, "now", lambda: future)
        assert access_tokens.read(access_tokens.issue(claims)) == claims

    @pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "org", "sid", "role", "ep"])
    def test_every_claim_is_required(self, ring: Ring, claims: Claims, claim: str) -> None:
        """A token that lacks one is none."""
        token = access_tokens.issue(claims)
        with pytest.raises(Unauthenticated):
            access_tokens.read(altered(token, lambda payload: payload.pop(claim)))

    @pytest.mark.parametrize(
        ("claim", "value"),
        [("aud", "another-api"), ("iss", "snapforge-prod"), ("role", "emperor"), ("ep", "x"), ("exp", 1)],
    )
    def test_wrong_claims(self, ring: Ring, claims: Claims, claim: str, value: Any) -> None:
        """Another audience, stage or role, an expired one."""
        with pytest.raises(Unauthenticated):
            access_tokens.read(altered(access_tokens.issue(claims), lambda payload: payload.update({claim: value})))

    @pytest.mark.parametrize("header", [{"typ": "JWT"}, {"kid": "k9"}, {"kid": "../../dev/null"}, {"alg": "HS512"}])
    def test_wrong_headers(self, ring: Ring, claims: Claims, header: dict[str, Any]) -> None:
        """Another kind of token, an unknown key, another algorithm, though signed with our key."""
        with pytest.raises(Unauthenticated):
            access_tokens.read(altered(access_tokens.issue(claims), lambda _: None, header))

    def test_no_kid(self, ring: Ring, claims: Claims) -> None:
        """The key must be named."""
        payload = jwt.decode(access_tokens.issue(claims), options={"verify_signature": False})
        token = jwt.encode(payload, K1["key"], algorithm="HS256", headers={"typ": access_tokens.TYPE})
        with pytest.raises(Unauthenticated):
            access_tokens.read(token)

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
    def test_alg_none(self, ring: Ring, claims: Claims, algorithm: str) -> None:
        """An unsigned token is worth nothing, with and without a rest of a signature."""
        payload = access_tokens.issue(claims).split(".")[1]
        header = part({"alg": algorithm, "typ": access_tokens.TYPE, "kid": "k1"})
        for token in (f"{header}.{payload}.", f"{header}.{payload}.c2ln"):
            with pytest.raises(Unauthenticated):
                access_tokens.read(token)

    def test_each_altered_part(self, ring: Ring, claims: Claims) -> None:
        """One other character in the payload or the signature is enough."""
        header, payload, signature = access_tokens.issue(claims).split(".")
        other = part(
            jwt.decode(f"{header}.{payload}.{signature}", options={"verify_signature": False}) | {"role": "admin"}
        )
        swapped = ("B" if signature[0] == "A" else "A") + signature[1:]
        for token in (f"{header}.{other}.{signature}", f"{header}.{payload}.{swapped}", f"{header}.{payload}"):
            with pytest.raises(Unauthenticated):
                access_tokens.read(token)

    @pytest.mark.parametrize(
        "token", ["", "x", "a.b.c", "é.é.é", "." * 20, "a" * 5000, "W10.W10.W10", "bnVsbA.e30.e30"]
    )
    def test_nonsense(self, ring: Ring, token: str) -> None:
        """Is refused, never a crash."""
        with pytest.raises(Unauthenticated):
            access_tokens.read(token)


@pytest.mark.part("ID-2")
class TestKeyRotation:
    """New keys arrive without logging anyone out."""

    def test_the_previous_key_still_counts(self, ring: Ring, claims: Claims) -> None:
        """Tokens live on for their ten minutes."""
        token = access_tokens.issue(claims)
        ring.now = ring.cached = {"current": K2, "previous": K1}
        assert access_tokens.read(token) == claims
        assert jwt.get_unverified_header(access_tokens.issue(claims))["kid"] == "k2"

    def test_a_key_that_has_left_the_ring_is_dead(self, ring: Ring, claims: Claims) -> None:
        """Two rotations on."""
        token = access_tokens.issue(claims)
        ring.now = ring.cached = {"current": K3, "previous": K2}
        with pytest.raises(Unauthenticated):
            access_tokens.read(token)

    def test_a_newer_key_than_the_cached_ones_is_fetched(self, ring: Ring, claims: Claims) -> None:
        """Another process signs with the new key before this one's cache has run out."""
        ring.now = ring.cached = {"current": K2, "previous": K1}
        token = access_tokens.issue(claims)
        ring.cached = {"current": K1, "previous": None}
        assert access_tokens.read(token) == claims

    @pytest.mark.parametrize(("age", "read"), [(10.0, False), (10.1, True)])
    def test_invented_keys_cost_a_look_in_ten_seconds(self, ring: Ring, claims: Claims, age: float, read: bool) -> None:
        """Whoever sends them makes us ask Secrets Manager no more often than that."""
        ring.now = ring.cached = {"current": K2, "previous": K1}
        token = access_tokens.issue(claims)
        ring.cached, ring.age = {"current": K1, "previous": None}, age
        if read:
            assert access_tokens.read(token) == claims
        else:
            with pytest.raises(Unauthenticated):
                access_tokens.read(token)

    def test_a_known_kid_with_another_key_is_refused(self, ring: Ring, claims: Claims) -> None:
        """The signature decides, not the name."""
        token = access_tokens.issue(claims)
        ring.now = ring.cached = {"current": {"kid": "k1", "key": K2["key"]}, "previous": None}
        with pytest.raises(Unauthenticated):
            access_tokens.read(token)
