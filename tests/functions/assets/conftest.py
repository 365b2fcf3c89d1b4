"""Two customers of different orgs."""

import pytest

from tests.core.identity import people
from tests.core.identity.people import Somebody
from tests.support.aws import Aws


@pytest.fixture(scope="session")
def customer(aws: Aws) -> Somebody:
    return people.verified()


@pytest.fixture(scope="session")
def stranger(aws: Aws) -> Somebody:
    return people.verified()
