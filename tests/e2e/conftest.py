"""The whole system once, with one customer, one order of pictures and one of a model, for all end-to-end tests."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.local.demo.customer import Customer, sign_up
from infrastructure.local.paths import REPO, venv_python
from infrastructure.local.region import Region
from tests.e2e.orders import PICTURES, TOLD, Done, place
from tests.support.checked_api import CheckedApi
from tests.support.region import region

__all__ = ["region"]

PHOTOS, WIDTH, HEIGHT = 16, 400, 300
"""As few and as small as still register all."""


@dataclass(frozen=True)
class Shooting:
    """The renderer at work."""

    process: "subprocess.Popen[bytes]"
    folder: Path


@pytest.fixture(scope="session")
def web() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def customer(region: Region, web: httpx.Client) -> Customer:
    """Signed up through the API, confirmed by mail."""
    return sign_up(CheckedApi(region.api_url, "", web), region.mail)


@pytest.fixture(scope="session")
def api(region: Region, web: httpx.Client, customer: Customer) -> CheckedApi:
    """The customer's, by API key."""
    return CheckedApi(region.api_url, customer.api_key, web)


@pytest.fixture(scope="session")
def shooting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shooting]:
    """Photos of a textured object, rendered by our own code while other things are tested."""
    folder = tmp_path_factory.mktemp("photos") / "given"
    command = [str(venv_python("scene")), "-m", "infrastructure.local.demo.render", str(folder), "--count", str(PHOTOS)]
    size = ["--width", str(WIDTH), "--height", str(HEIGHT)]
    with subprocess.Popen([*command, *size], cwd=REPO, stdout=subprocess.DEVNULL) as process:
        yield Shooting(process, folder)
        process.kill()


@pytest.fixture(scope="session")
def photos(shooting: Shooting) -> list[Path]:
    """All of them, in order."""
    assert shooting.process.wait(240) == 0
    return sorted(shooting.folder.glob("*.jpg"))


@pytest.fixture(scope="session")
def pictures(shooting: Shooting, api: CheckedApi) -> Done:
    """The order of pictures, done."""
    return place(api, PICTURES)


@pytest.fixture(scope="session")
def capture(api: CheckedApi, photos: list[Path]) -> dict[str, Any]:
    """All photos, sent and checked."""
    capture_id = api.call("create_capture", body={"name": "kingfisher"}).json["id"]
    api.upload(photos, capture_id=capture_id)
    return api.wait_for_capture(capture_id)


@pytest.fixture(scope="session")
def model(api: CheckedApi, capture: dict[str, Any]) -> Done:
    """The order of a model, done."""
    return place(api, {"kind": "scene", "capture_id": capture["id"], "preset": "draft"})


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What tests found worth telling without failing."""
    for title, lines in config.stash[TOLD].items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
