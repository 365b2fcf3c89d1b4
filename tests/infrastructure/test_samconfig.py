"""samconfig.toml names, for each stage and root stack, what SAM needs and what the template asks for."""

import tomllib
from typing import Any

import pytest

from infrastructure import links
from tests.support.templates import REPO, ROOTS, template

CONFIG: dict[str, Any] = tomllib.loads((REPO / "samconfig.toml").read_text())
STAGES = ("dev", "staging", "prod")
EACH = pytest.mark.parametrize(("stage", "stack"), [(stage, stack) for stage in STAGES for stack in ROOTS])
LINKED = {
    "app": {"ReleaseSha"},
    "edge": {*links.origins(template("template").body["Outputs"]), "DeliveryPublicKey"},
}
"""What infrastructure/links.py writes for a stack."""


def given(stage: str, stack: str) -> dict[str, str]:
    """The parameters that stand in the file itself."""
    overrides = CONFIG[f"{stage}-{stack}"]["deploy"]["parameters"]["parameter_overrides"]
    return dict(entry.split("=", 1) for entry in overrides if not entry.startswith("file://"))


def test_nine_environments_and_no_other() -> None:
    """Three stages of three root stacks."""
    assert set(CONFIG) - {"version"} == {f"{stage}-{stack}" for stage in STAGES for stack in ROOTS}


@EACH
def test_it_points_at_the_root(stage: str, stack: str) -> None:
    """Validate and build read the source, deploy reads what was built; the stack's name is stage and root."""
    entry = CONFIG[f"{stage}-{stack}"]
    source = str(ROOTS[stack].relative_to(REPO))
    assert entry["validate"]["parameters"]["template_file"] == source
    assert entry["build"]["parameters"]["template_file"] == source
    built = entry["build"]["parameters"]["build_dir"]
    assert entry["deploy"]["parameters"]["template_file"] == f"{built}/template.yaml"
    assert entry["global"]["parameters"]["stack_name"] == f"snapforge-{stage}-{stack}"
    assert entry["global"]["parameters"]["region"] == ("us-east-1" if stack == "edge" else "eu-central-1")


@EACH
def test_it_gives_every_parameter_once(stage: str, stack: str) -> None:
    """All without a default are given here or by links.py, none twice, none that the template does not know."""
    declared = template(ROOTS[stack].stem).parameters
    here, linked = set(given(stage, stack)), LINKED.get(stack, set())
    assert here | linked <= set(declared)
    assert here & linked == set()
    assert {name for name, entry in declared.items() if "Default" not in entry} <= here | linked
    overrides = CONFIG[f"{stage}-{stack}"]["deploy"]["parameters"]["parameter_overrides"]
    files = [entry for entry in overrides if entry.startswith("file://")]
    assert files == ([f"file://{links.FOLDER}/{stage}-{stack}.yaml"] if linked else [])


@EACH
def test_values_are_allowed(stage: str, stack: str) -> None:
    """The stage is its own, and choices are among the template's."""
    declared = template(ROOTS[stack].stem).parameters
    values = given(stage, stack)
    assert values["Stage"] == stage
    for name, value in values.items():
        assert value in declared[name].get("AllowedValues", [value]), name


@pytest.mark.parametrize("stage", STAGES)
def test_production_is_deployed_gradually_and_asks_first(stage: str) -> None:
    """Prod shifts traffic by canary and shows its change set; the others go at once."""
    gradual = given(stage, "app")["DeploymentPreference"].startswith("Canary")
    asks = CONFIG[f"{stage}-app"]["deploy"]["parameters"]["confirm_changeset"]
    assert (gradual, asks) == ((True, True) if stage == "prod" else (False, False))


@pytest.mark.parametrize("stage", STAGES)
def test_the_stacks_of_a_stage_agree(stage: str) -> None:
    """One host: uploads are allowed from where the app lies, deliveries come from there, mail from its domain."""
    app, foundation = given(stage, "app"), given(stage, "foundation")
    assert foundation["WebOrigin"] == app["PublicUrl"]
    assert app["DeliveryUrl"] == app["PublicUrl"] + "/assets"
    assert app["MailDomain"] == foundation["MailDomain"]
    assert app["MailFrom"].endswith("@" + app["MailDomain"])
    assert app["OriginSecret"] == "origin"
