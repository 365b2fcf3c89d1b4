"""What stands beside the API on the same address: its document, its documentation, and locally the mailbox."""

import httpx
import pytest

from infrastructure.local.demo.customer import Customer
from infrastructure.local.region import Region
from infrastructure.tools import openapi


@pytest.mark.part("API-1")
def test_the_document_is_served_as_the_endpoints_say_it(region: Region, web: httpx.Client) -> None:
    """Byte for byte what the code declares now."""
    answered = web.get(f"{region.api_url}/openapi.json")
    assert answered.status_code == 200
    assert answered.headers["content-type"].startswith("application/json")
    assert answered.json() == openapi.build()


@pytest.mark.part("API-1")
def test_the_documentation_names_every_operation(region: Region, web: httpx.Client) -> None:
    """A page of its own, without a web app."""
    page = web.get(f"{region.api_url}/docs/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for path in openapi.build()["paths"]:
        assert path in page.text


@pytest.mark.parametrize(
    "path", ["/docs/../../pyproject.toml", "/docs/%2e%2e/%2e%2e/pyproject.toml", "/docs/nothing.js"]
)
def test_nothing_else_of_the_disk_is_served(region: Region, web: httpx.Client, path: str) -> None:
    """Dots lead nowhere."""
    with httpx.Client(trust_env=False) as client:
        answered = client.send(client.build_request("GET", region.api_url + path))
    assert answered.status_code == 404
    assert "requires-python" not in answered.text


@pytest.mark.part("NTF-1")
def test_the_mailbox_shows_the_customers_mail(region: Region, web: httpx.Client, customer: Customer) -> None:
    """A list, and a page per mail with its HTML in a frame that runs nothing."""
    listing = web.get(f"{region.api_url}/_mail")
    assert listing.status_code == 200
    assert customer.email in listing.text
    mail = next(mail for mail in region.mail() if customer.email in mail["to"])
    page = web.get(f"{region.api_url}/_mail/{mail['id']}")
    assert page.status_code == 200
    assert mail["subject"] in page.text
    assert "<iframe sandbox=" in page.text
    assert web.get(f"{region.api_url}/_mail/nothing").status_code == 404
