"""infrastructure/tools/edge.py and templates.py: every route reaches its own API, whatever contexts share."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.tools import edge
from infrastructure.tools import templates as derived
from tests.support.templates import functions, template, templates

SITE = template("edge").resources["Site"]["Properties"]["DistributionConfig"]


def reached(patterns: list[tuple[str, str]], path: str) -> str | None:
    """As CloudFront: the first pattern that fits; `*` is any text."""
    for pattern, origin in patterns:
        if re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), path):
            return origin
    return None


class TestPatterns:
    @pytest.mark.parametrize(
        ("routes", "wanted"),
        [
            ([("/v1/jobs", "J"), ("/v1/jobs/{id}", "J"), ("/v1/jobs/{id}/cancel", "J")], [("/v1/jobs*", "J")]),
            ([("/v1/auth/login", "I"), ("/v1/auth/me", "I")], [("/v1/auth/*", "I")]),
            ([("/v1/catalogue", "J")], [("/v1/catalogue", "J")]),
            (
                [("/v1/billing/balance", "B"), ("/v1/billing/checkout", "P"), ("/v1/billing/invoices/{id}", "P")],
                [("/v1/billing/checkout", "P"), ("/v1/billing/invoices/*", "P"), ("/v1/billing/balance", "B")],
            ),
            (
                [("/v1/jobs", "J"), ("/v1/jobs/{id}", "J"), ("/v1/jobs-archive", "A")],
                [("/v1/jobs-archive", "A"), ("/v1/jobs/*", "J"), ("/v1/jobs", "J")],
            ),
            (
                [("/v1/orgs/{id}", "I"), ("/v1/orgs/{id}/invoices", "P"), ("/v1/orgs/{id}/invoices/{n}", "P")],
                [("/v1/orgs/*/invoices*", "P"), ("/v1/orgs/*", "I")],
            ),
            ([("/s/{token}", "S"), ("/openai/v1/models", "O")], [("/openai/v1/*", "O"), ("/s/*", "S")]),
        ],
    )
    def test_as_much_as_tells_origins_apart(self, routes: list[tuple[str, str]], wanted: list[tuple[str, str]]) -> None:
        found = edge.patterns(routes)
        assert {(path, origin) for path, origin in found} == set(wanted)
        for path, origin in routes:
            assert reached(found, re.sub(r"\{\w+\}", "01J", path)) == origin

    def test_one_path_has_one_origin(self) -> None:
        with pytest.raises(ValueError, match="/v1/a: served by A and B"):
            edge.patterns([("/v1/a", "A"), ("/v1/a", "B")])

    def test_a_path_that_another_ones_variable_would_take_is_refused(self) -> None:
        """CloudFront's `*` crosses slashes: better no deployment than a request at the wrong API."""
        with pytest.raises(ValueError, match="give one of them another path"):
            edge.patterns(
                [("/v1/{a}/invoices", "A"), ("/v1/{a}/other", "D"), ("/v1/b/{c}/invoices", "B"), ("/v1/b/x", "C")]
            )

    @given(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(["a", "ab", "b", "{id}"]), min_size=1, max_size=4).map(
                    lambda parts: "/v1/" + "/".join(parts)
                ),
                st.sampled_from(["A", "B", "C"]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_every_route_reaches_its_own_origin_or_none_is_written(self, routes: list[tuple[str, str]]) -> None:
        try:
            found = edge.patterns(routes)
        except ValueError:
            return
        for path, origin in routes:
            assert reached(found, path.replace("{id}", "x_1")) == origin


class TestTemplates:
    def app(self, *outputs: str) -> dict[str, Any]:
        stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "infrastructure/batches.yaml"}}
        return {"Resources": {"Batches": stack, "Layer": {"Type": "x"}}, "Outputs": dict.fromkeys(outputs)}

    def nested(self, *more: dict[str, Any]) -> dict[str, Any]:
        route = {"Type": "HttpApi", "Properties": {"Path": "/v1/batches", "Method": "POST"}}
        resources = {"CreateBatch": {"Properties": {"Events": {"Route": route}}}}
        resources |= {f"More{number}": one for number, one in enumerate(more)}
        return {"infrastructure/batches.yaml": {"Resources": resources}}

    def test_a_route_goes_to_its_stacks_api_and_what_is_no_route_to_admins(self) -> None:
        found = edge.behaviours(self.app("BatchesApi", "AdminApi"), self.nested())
        assert found == [("/v1/batches", "BatchesApi"), ("/v1/*", "AdminApi")]

    def test_a_function_url_names_its_paths_itself(self) -> None:
        """As a WebSocket API does. They are tried first."""
        socket = {"Type": "AWS::ApiGatewayV2::Api", "Metadata": {"EdgePaths": ["/ws"]}}
        url = {"Type": "AWS::Serverless::Function", "Metadata": {"EdgePaths": ["/openai/*"]}}
        app = self.app("BatchesApi", "AdminApi", "More0Domain", "More1Domain")
        found = edge.behaviours(app, self.nested(socket, url))
        assert found[:2] == [("/ws", "More0Domain"), ("/openai/*", "More1Domain")]

    def test_an_output_that_is_missing_is_named(self) -> None:
        with pytest.raises(ValueError, match="no output BatchesApi"):
            edge.behaviours(self.app("AdminApi"), self.nested())

    def test_a_quota_that_is_not_enough_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(edge, "MAX_BEHAVIOURS", 1)
        with pytest.raises(ValueError, match="2 behaviours; CloudFront takes 1"):
            edge.behaviours(self.app("BatchesApi", "AdminApi"), self.nested())

    def test_a_template_without_its_markers_is_refused(self) -> None:
        with pytest.raises(ValueError, match="0 places for origins"):
            derived.filled("Resources: {}\n", {"origins": ""})


class TestTheEdge:
    """What stands in edge.yaml now."""

    def test_every_route_of_every_function_reaches_its_own_api(self) -> None:
        """By the distribution as it is written, not by how it was made."""
        written = [(one["PathPattern"], one["TargetOriginId"]) for one in SITE["CacheBehaviors"]]
        seen = 0
        for function in functions():
            for route in function.routes:
                seen += 1
                path = re.sub(r"\{\w+\}", "01J", route.partition(" ")[2])
                assert reached(written, path) == f"{function.template.name}-api", route
        assert seen > 30

    def test_its_parameters_are_the_apps_outputs(self) -> None:
        apis = {f"{each.name.capitalize()}Api" for each in templates() if each.of_type("AWS::Serverless::HttpApi")}
        assert {name for name in template("edge").parameters if name.endswith(("Api", "Domain"))} == apis
        assert apis <= set(template("template").body["Outputs"])

    def test_an_unknown_path_of_the_api_is_no_page_of_the_app(self) -> None:
        written = [(one["PathPattern"], one["TargetOriginId"]) for one in SITE["CacheBehaviors"]]
        assert reached(written, "/v1/nothing/here") == "admin-api"
        assert reached(written, "/gallery") is None
