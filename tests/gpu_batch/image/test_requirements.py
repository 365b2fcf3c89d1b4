"""The image's pinned packages are those that these tests ran with, and they are complete."""

import re
from importlib.metadata import distribution, version

import pytest
from packaging.requirements import Requirement

from tests.support.aws import ROOT

PINS = dict(
    line.split("==")
    for line in (ROOT / "gpu_batch" / "requirements" / "image.txt").read_text().splitlines()
    if not line.startswith("#")
)
TORCH = "torch"


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.part("ADM-6")
class TestRequirements:
    def test_pins_are_what_is_installed(self) -> None:
        """What was tested is what is shipped."""
        assert {name: version(name) for name in PINS} == PINS

    def test_nothing_that_a_pinned_package_needs_is_left_out(self) -> None:
        """The image installs with --no-deps, so the list must be closed."""
        missing = {
            (name, requirement.name)
            for name in [*PINS, TORCH]
            for requirement in map(Requirement, distribution(name).requires or ())
            if not (requirement.marker and not requirement.marker.evaluate({"extra": ""}))
            and normal(requirement.name) not in {*PINS, TORCH}
        }
        assert missing == set()

    def test_the_dockerfile_installs_the_torch_that_was_tested(self) -> None:
        """torch comes first and by its own argument, in the tested version."""
        text = (ROOT / "gpu_batch" / "Dockerfile.image").read_text()
        assert f"ARG TORCH=torch=={version(TORCH).split('+')[0]}\n" in text
        assert "USER worker" in text
