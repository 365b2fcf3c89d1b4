"""The image's pinned packages are those that these tests ran with, and they are complete."""

import re
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

GPU_BATCH = Path(__file__).parents[3] / "gpu_batch"
LAST = {"nerfstudio", "gsplat", "torchvision"}


def pins(name: str) -> dict[str, str]:
    lines = (GPU_BATCH / "requirements" / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.part("ADM-6")
class TestRequirements:
    def test_pins_are_what_is_installed(self) -> None:
        """What was tested is what is shipped; the wheels' build tags aside."""
        for listing in ("scene.txt", "scene-nodeps.txt"):
            wanted = pins(listing)
            assert {name: version(name).split("+")[0] for name in wanted} == wanted

    def test_nothing_that_a_pinned_package_needs_is_left_out(self) -> None:
        """The image installs with --no-deps, so the list must be closed."""
        listed = {normal(name) for name in pins("scene.txt")} | LAST | {"torch"}
        missing = {
            (name, requirement.name)
            for name in [*pins("scene.txt"), "torch"]
            for requirement in map(Requirement, distribution(name).requires or ())
            if not (requirement.marker and not requirement.marker.evaluate({"extra": ""}))
            and normal(requirement.name) not in listed
        }
        assert missing == set()

    def test_those_without_dependencies_are_the_three_that_pin_too_much(self) -> None:
        assert set(pins("scene-nodeps.txt")) == LAST

    def test_the_dockerfile_installs_the_torch_that_was_tested_and_drops_root(self) -> None:
        text = (GPU_BATCH / "Dockerfile.scene").read_text()
        assert f"ARG TORCH=torch=={version('torch').split('+')[0]}\n" in text
        assert text.index("scene.txt") < text.index("-r /tmp/scene-nodeps.txt")
        assert "USER worker" in text
