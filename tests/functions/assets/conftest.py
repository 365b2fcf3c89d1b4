"""Two customers of different orgs."""

import pytest

from tests.support import people
from tests.support.aws import Aws
from tests.support.people import Somebody


@pytest.fixture(scope="session")
def customer(aws: Aws) -> Somebody:
    return people.verified()


@pytest.fixture(scope="session")
def stranger(aws: Aws) -> Somebody:
    return people.verified()
