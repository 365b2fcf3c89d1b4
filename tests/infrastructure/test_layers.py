"""Layers: the same wheels everywhere, for Lambda's platform, small enough."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.templates import REPO, template

LAYERS = REPO / "layers"
THIRD_PARTY = ("base", "media")
PLATFORMS = ["manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"]
BUILT = REPO / ".aws-sam" / "app"
LIMIT_MB = 250


def pins(path: Path) -> dict[str, str]:
    """`name==version` lines of a requirements file."""
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9._-]+==[\w.!+]+", line) for line in lines), f"{path}: pins only"
    return {name: version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("layer", THIRD_PARTY)
class TestPins:
    def test_agree_with_the_control_planes_environment(self, layer: str) -> None:
        """What the tests ran with is what Lambda runs with."""
        control = pins(REPO / "infrastructure/requirements/control.txt")
        own = pins(LAYERS / layer / "requirements.txt")
        assert own
        assert {
            name: (version, control.get(name)) for name, version in own.items() if control.get(name) != version
        } == {}

    def test_hold_what_was_asked_for(self, layer: str) -> None:
        """Each line of requirements.in is pinned."""
        asked = {line.strip() for line in (LAYERS / layer / "requirements.in").read_text().splitlines() if line.strip()}
        assert asked <= pins(LAYERS / layer / "requirements.txt").keys()

    def test_are_built_for_lambda(self, layer: str) -> None:
        """Wheels only, for python3.13 on Amazon Linux 2023, newest glibc first; nothing is resolved."""
        recipe = (LAYERS / layer / "Makefile").read_text()
        assert re.findall(r"--platform (\S+)", recipe) == PLATFORMS
        for flag in ("--only-binary=:all:", "--python-version 3.13", "--no-deps", '--target "$(ARTIFACTS_DIR)/python"'):
            assert flag in recipe

    def test_name_no_index(self, layer: str) -> None:
        """Where wheels come from is the builder's setting."""
        for path in (LAYERS / layer).iterdir():
            assert not re.search(r"https?://|index-url|find-links|file:", path.read_text()), path


class TestImages:
    def test_the_preflights_pins_agree_with_the_control_planes_environment(self) -> None:
        """A function in a container image runs with what the tests ran with, too."""
        control = pins(REPO / "infrastructure/requirements/control.txt")
        own = pins(REPO / "infrastructure/images/preflight/requirements.txt")
        assert own.keys() == {"numpy", "pillow", "pycolmap"}
        assert own.items() <= control.items()

    def test_the_preflight_finds_the_same_features_as_the_worker(self) -> None:
        """One pycolmap on both sides: the prediction is of what the worker's does."""
        worker = (REPO / "gpu_batch/requirements/scene.txt").read_text().splitlines()
        assert f"pycolmap=={pins(REPO / 'infrastructure/images/preflight/requirements.txt')['pycolmap']}" in worker


class TestRecipes:
    def test_each_layer_of_the_template_has_its_target(self) -> None:
        """SAM calls `make build-<logical id>` in the layer's folder."""
        layers = template("template").of_type("AWS::Serverless::LayerVersion")
        assert set(layers) == {"BaseLayer", "CoreLayer", "MediaLayer"}
        for name, layer in layers.items():
            assert layer["Metadata"]["BuildMethod"] == "makefile"
            assert f"build-{name}:" in (REPO / layer["Properties"]["ContentUri"] / "Makefile").read_text()

    def test_the_core_layer_is_the_package_and_nothing_else(self, tmp_path: Path) -> None:
        """`snapforge` with its marker for types, without caches; built here, as SAM does it."""
        subprocess.run(
            ["make", "build-CoreLayer", f"ARTIFACTS_DIR={tmp_path}"],
            cwd=LAYERS / "core",
            check=True,
            capture_output=True,
        )
        assert [path.name for path in tmp_path.iterdir()] == ["python"]
        assert [path.name for path in (tmp_path / "python").iterdir()] == ["snapforge"]
        built = {path.relative_to(tmp_path / "python") for path in tmp_path.rglob("*") if path.is_file()}
        assert Path("snapforge/py.typed") in built
        assert not [path for path in built if "__pycache__" in path.parts]
        sources = {p.relative_to(LAYERS / "core") for p in (LAYERS / "core/snapforge").rglob("*.py")}
        assert sources <= built


@pytest.mark.skipif(not (BUILT / "BaseLayer").exists(), reason="not built: sam build --config-env dev-app")
class TestSize:
    def test_all_layers_fit_beside_a_function(self) -> None:
        """A function and its layers hold 250 MB unzipped; a few for the function stay."""
        used = sum(path.stat().st_size for path in BUILT.glob("*Layer/**/*") if path.is_file())
        assert 10_000_000 < used < (LIMIT_MB - 10) * 1_000_000
