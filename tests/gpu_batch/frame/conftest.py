"""One emulator for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.gpu_batch.frame.region import Region, running


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running(tmp_path_factory.mktemp("ministack")) as started:
        yield started
