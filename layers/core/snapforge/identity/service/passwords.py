"""Argon2id, as OWASP's first choice has it: 19 MiB, two passes, one lane (about 80 ms)."""

from functools import cache
from typing import TYPE_CHECKING

from snapforge.identity import domain

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# Of nothing anybody knows, with today's parameters: made beforehand, so that the first look-up of an unknown address in
# a process takes no longer than the next.
NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$iYrde05ZasgZXHiufRYFKA$DOMPk1VsIPJplq2/NzzmkUdSQVCiTbci12+0xHVOJTI"


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)


def hash_of(password: str) -> str:
    """The PHC string of a password."""
    return _hasher().hash(domain.normalise_password(password))


def fits(password: str, hashed: str | None) -> bool:
    """Whether it is the password. Without a hash (unknown address) it takes as long, and is False."""
    from argon2.exceptions import VerifyMismatchError

    try:
        _hasher().verify(hashed or NOBODYS, domain.normalise_password(password))
    except VerifyMismatchError:
        return False
    return hashed is not None


def is_outdated(hashed: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(hashed)
