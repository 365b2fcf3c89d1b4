"""infrastructure/tools/loops.py, held against cfn-lint's expansion and against what AWS is known to do."""

from typing import Any

import pytest
from cfnlint.decode import decode
from cfnlint.template import Template

from infrastructure.tools import loops
from tests.support.templates import REPO, template

WITH_LOOPS = sorted(
    path.stem for path in (REPO / "infrastructure").glob("*.yaml") if "Fn::ForEach::" in path.read_text()
)


def looped(body: dict[str, Any], values: list[str]) -> dict[str, Any]:
    """The resources of a template with one loop over `One`."""
    whole = {"Transform": loops.TRANSFORM, "Resources": {"Fn::ForEach::Each": ["One", values, body]}}
    found: dict[str, Any] = loops.expand(whole)["Resources"]
    return found


def settled(value: Any, mappings: dict[str, Any]) -> Any:
    """cfn-lint leaves a `!Sub` of a text without variables, and looks maps up by itself."""
    if isinstance(value, list):
        return [settled(one, mappings) for one in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Fn::Sub": str(text)} if "${" not in text:
            return str(text)
        case {"Fn::FindInMap": [name, first, second]}:
            return mappings[name][first][second]
    return {str(key): settled(one, mappings) for key, one in value.items()}


@pytest.mark.parametrize("name", WITH_LOOPS)
def test_it_makes_what_cfn_lint_makes(name: str) -> None:
    """Of every template with loops, resource by resource."""
    path = str(REPO / "infrastructure" / f"{name}.yaml")
    body, faults = decode(path)
    assert not faults
    theirs = Template(path, body, ["eu-central-1"])
    theirs.transform()
    ours, maps = template(name).resources, template(name).body["Mappings"]
    assert len(ours) > 2
    assert settled(ours, maps) == settled(theirs.template["Resources"], maps)


class TestValues:
    def test_they_stand_in_keys_subs_and_refs(self) -> None:
        body = {
            "${One}Queue": {
                "Name": {"Fn::Sub": "x-${One}-${Stage}"},
                "Text": {"Fn::Sub": ["${One}/${Name}", {"Name": {"Ref": "One"}}]},
                "Own": {"Ref": {"Fn::Sub": "${One}Dlq"}},
                "Arn": {"Fn::GetAtt": [{"Fn::Sub": "${One}Dlq"}, "Arn"]},
                "Other": [{"Ref": "Stage"}, 7],
            }
        }
        assert looped(body, ["A", "B"]) == {
            f"{one}Queue": {
                "Name": {"Fn::Sub": f"x-{one}-${{Stage}}"},
                "Text": {"Fn::Sub": [f"{one}/${{Name}}", {"Name": one}]},
                "Own": {"Ref": f"{one}Dlq"},
                "Arn": {"Fn::GetAtt": [f"{one}Dlq", "Arn"]},
                "Other": [{"Ref": "Stage"}, 7],
            }
            for one in "AB"
        }

    def test_a_loop_may_stand_in_a_loop(self) -> None:
        body = {"Fn::ForEach::Inner": ["Two", ["x", "y"], {"${One}${Two}": {"Type": {"Ref": "Two"}}}]}
        assert looped(body, ["A", "B"]) == {f"{one}{two}": {"Type": two} for one in "AB" for two in "xy"}

    def test_a_plain_text_is_refused(self) -> None:
        """AWS leaves `${One}` as it stands outside of !Sub, which nobody means."""
        with pytest.raises(ValueError, match="inside of !Sub only"):
            looped({"${One}": {"Description": "of ${One}"}}, ["A"])

    @pytest.mark.parametrize(
        ("body", "values", "why"),
        [
            ({"Same": {}}, ["A", "B"], "Same is made twice"),
            ({"${One}": {}}, [1], "a list of texts"),
            ([], ["A"], "a map"),
        ],
    )
    def test_a_loop_that_is_none_is_refused(self, body: Any, values: Any, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            looped(body, values)


def test_a_template_without_the_transform_stays_as_it_is() -> None:
    whole = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"A": {"Text": "${One}"}}}
    assert loops.expand(whole) == whole


def test_other_transforms_stay() -> None:
    whole = {"Transform": [loops.TRANSFORM, "AWS::Serverless-2016-10-31"], "Resources": {}}
    assert loops.expand(whole) == {"Transform": ["AWS::Serverless-2016-10-31"], "Resources": {}}
