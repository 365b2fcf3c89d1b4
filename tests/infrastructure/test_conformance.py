"""Templates and functions say the same: what one has and the other lacks is named here."""

import json
import re
from fnmatch import fnmatchcase

import pytest

from tests.support.templates import (
    REPO,
    Function,
    dashes,
    decorated_route,
    everything,
    function_files,
    functions,
    pascal,
    place,
    template,
    text,
)

FILES = {place(path): path for path in function_files()}
DECLARED = {function.place: function for function in functions()}


class TestFunctions:
    def test_there_are_some(self) -> None:
        """The comparisons below must not be empty."""
        assert len(DECLARED) > 40

    def test_every_file_is_declared(self) -> None:
        """A function that no template deploys is dead."""
        assert sorted(FILES.keys() - DECLARED.keys()) == []

    def test_every_declared_function_has_its_file(self) -> None:
        """A template that names a missing file fails only at the first call."""
        assert sorted(DECLARED.keys() - FILES.keys()) == []

    @pytest.mark.parametrize("function", functions(), ids=lambda function: function.logical_id)
    def test_names_follow_from_the_file(self, function: Function) -> None:
        """Logical id, deployed name and handler are all the file's name; the folder is the context's."""
        stem = function.file.stem
        assert function.logical_id == pascal(stem)
        assert text(function.properties["FunctionName"]) == "snapforge-${Stage}-" + dashes(stem)
        handler = f"{stem}.handler"
        if function.image:
            assert function.properties["ImageConfig"] == {"Command": [f"{function.file.parent.name}.{handler}"]}
        else:
            assert function.properties["Handler"] == handler
        assert function.file.parent.parent == REPO / "functions"

    def test_file_names_are_unique(self) -> None:
        """Deployed names carry no context."""
        stems = [path.stem for path in FILES.values()]
        assert sorted({stem for stem in stems if stems.count(stem) > 1}) == []


class TestRoutes:
    def test_templates_and_decorators_agree(self) -> None:
        """`@endpoint("…")` and the template's event name the same route, and consumers have none."""
        said = {name: [route] if (route := decorated_route(path)) else [] for name, path in FILES.items()}
        declared = {name: function.routes for name, function in DECLARED.items()}
        assert {n: (said[n], declared[n]) for n in said.keys() & declared.keys() if said[n] != declared[n]} == {}

    def test_no_route_is_served_twice(self) -> None:
        """Two functions on one route would take turns with each deployment."""
        routes = [route for function in functions() for route in function.routes]
        assert len(routes) > 30
        assert sorted({route for route in routes if routes.count(route) > 1}) == []

    def test_every_route_is_on_its_own_contexts_api(self) -> None:
        """A context's functions are events of its own HttpApi."""
        events = [
            (function.logical_id, event["Properties"])
            for function in functions()
            for event in function.properties.get("Events", {}).values()
            if event["Type"] == "HttpApi"
        ]
        assert len(events) > 30
        assert [name for name, properties in events if properties["ApiId"] != {"Ref": "Api"}] == []

    @pytest.mark.parametrize("function", [f for f in functions() if f.routes], ids=lambda f: f.logical_id)
    def test_the_edge_sends_it_to_that_api(self, function: Function) -> None:
        """The first behaviour of CloudFront that matches the path has the context's API as its origin."""
        site = template("edge").resources["Site"]["Properties"]["DistributionConfig"]
        path = re.sub(r"{\w+}", "x", function.routes[0].split(" ")[1])
        first = next(b["TargetOriginId"] for b in site["CacheBehaviors"] if fnmatchcase(path, b["PathPattern"]))
        assert first == f"{function.template.name}-api"

    def test_throttled_routes_exist(self) -> None:
        """RouteSettings of a route that is not there fail the deployment."""
        settings = {
            name.split(".")[0]: set(api["Properties"].get("RouteSettings", {}))
            for name, api in everything("AWS::Serverless::HttpApi").items()
        }
        assert len(settings["identity"]) == 2
        for name, throttled in settings.items():
            assert throttled <= {r for f in functions() if f.template.name == name for r in f.routes}


class TestSampleEvents:
    def test_every_function_has_one(self) -> None:
        """`sam local invoke` and the tests read events/<context>/<function>.json."""
        there = {place(path) for path in (REPO / "events").glob("*/*.json")}
        assert sorted((FILES.keys() | DECLARED.keys()) - there) == []

    def test_none_is_left_over(self) -> None:
        """A sample of no function lies."""
        there = {place(path) for path in (REPO / "events").glob("*/*.json")}
        assert sorted(there - FILES.keys()) == []

    def test_a_routes_sample_is_of_that_route(self) -> None:
        """The sample's routeKey is the decorator's."""
        wrong, seen = {}, 0
        for name, path in FILES.items():
            sample = REPO / "events" / f"{name}.json"
            if (route := decorated_route(path)) and sample.exists():
                seen += 1
                told = json.loads(sample.read_text())["routeKey"]
                if told != route:
                    wrong[name] = (told, route)
        assert seen > 30
        assert wrong == {}


class TestRules:
    def test_rules_wait_for_events_that_are_told(self) -> None:
        """A misspelt detail-type waits for ever: each stands in some context's events.py."""
        told = "\n".join(path.read_text() for path in (REPO / "layers/core/snapforge").glob("*/events.py"))
        patterns = [rule["Properties"]["EventPattern"] for rule in everything("AWS::Events::Rule").values()]
        patterns += [
            event["Properties"]["Pattern"]
            for function in functions()
            for event in function.properties.get("Events", {}).values()
            if event["Type"] == "EventBridgeRule"
        ]
        ours = {kind for p in patterns if p["source"] == ["snapforge"] for kind in p["detail-type"]}
        assert ours
        assert {kind for kind in ours if kind not in told and kind.partition(".")[2] not in told} == set()


class TestSettings:
    def test_every_setting_is_given_and_every_given_one_is_used(self) -> None:
        """What `settings.get` asks for stands in some template's environment, and nothing else does."""
        code = "\n".join(
            path.read_text()
            for folder in ("layers/core/snapforge", "functions")
            for path in (REPO / folder).rglob("*.py")
        )
        asked = set(re.findall(r"\b(?:get|find)\(\s*[\"']([A-Z]+_[A-Z_]+)[\"']", code))
        given = {name for function in functions() for name in function.properties["Environment"]["Variables"]}
        read_by_libraries = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL", "STAGE"}
        standard = {"AWS_SDK_UA_APP_ID"}
        """The SDKs' own variables: an operator may set them, no template has to."""
        assert asked - given - standard == set()
        assert given - asked - read_by_libraries == set()
