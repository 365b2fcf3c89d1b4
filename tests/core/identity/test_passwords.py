"""Argon2id."""

import base64

import pytest
from argon2 import PasswordHasher

from snapforge.identity.service import passwords


@pytest.mark.part("ID-1")
class TestPasswordHashes:
    """As OWASP's first choice has it."""

    def test_the_parameters_stand_in_the_hash(self) -> None:
        """19 MiB, two passes, one lane, version 19."""
        assert passwords.hash_of("a long sentence").startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    def test_salt_and_hash_are_as_long_as_those_that_nobody_has(self) -> None:
        """Sixteen and 32 bytes, RFC 9106's; of other lengths the dummy would be renewed, or told apart by its time."""
        *_, salt, hashed = passwords.hash_of("a long sentence").split("$")
        *_, nobodys_salt, nobodys = passwords.NOBODYS.split("$")
        assert [len(base64.b64decode(part + "==")) for part in (salt, hashed)] == [16, 32]
        assert (len(salt), len(hashed)) == (len(nobodys_salt), len(nobodys))

    def test_only_the_password_fits(self) -> None:
        """Also when it is typed in another normal form."""
        hashed = passwords.hash_of("Zo\u00eb likes stones")
        assert passwords.fits("Zoe\u0308 likes stones", hashed)
        assert not passwords.fits("zo\u00eb likes stones", hashed)
        assert hashed != passwords.hash_of("Zo\u00eb likes stones")

    def test_nobody_has_no_password(self) -> None:
        """The text that the dummy was made of opens nothing."""
        assert not passwords.fits("the password of nobody", None)

    def test_nobody_costs_as_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For an unknown address a hash with today's parameters is verified, too."""
        verified: list[str] = []
        verify = PasswordHasher.verify

        def noting(self: PasswordHasher, hash_: str, password: str) -> bool:
            verified.append(hash_)
            return verify(self, hash_, password)

        monkeypatch.setattr(PasswordHasher, "verify", noting)
        assert not passwords.fits("another sentence", None)
        assert verified == [passwords.NOBODYS]
        assert not passwords.is_outdated(passwords.NOBODYS)

    def test_old_parameters_are_noticed(self) -> None:
        """A weaker hash is due for renewal, today's is not."""
        old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash("a long sentence")
        assert passwords.is_outdated(old)
        assert not passwords.is_outdated(passwords.hash_of("a long sentence"))
