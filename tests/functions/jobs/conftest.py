"""The engine, and a customer who has signed up."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from snapforge.billing.service import ledger
from snapforge.identity.service import sessions
from snapforge.kit.permissions import Permission, Principal
from tests.core.jobs.engine import Engine, running
from tests.support.aws import Aws
from tests.support.people import verified


@dataclass(frozen=True)
class Customer:
    """An org with credits, and an access token of its owner."""

    principal: Principal
    token: str


@pytest.fixture(scope="session")
def engine(aws: Aws) -> Iterator[Engine]:
    """Batch and Step Functions as jobs see them."""
    with running(aws) as engine:
        yield engine


@pytest.fixture
def customer(engine: Engine) -> Customer:
    """A verified user with the sign-up credits."""
    opened = verified().opened
    org_id = sessions.principal_of_session(opened.body.access_token).org_id
    ledger.grant_at_sign_up(org_id)
    return Customer(Principal(org_id=org_id, permissions=frozenset(Permission)), opened.body.access_token)
