"""What holds of every stack: names, secrets, links, limits."""

import json
import re

import pytest

from tests.support.templates import (
    REPO,
    Function,
    Template,
    everything,
    functions,
    template,
    templates,
    text,
    transform,
    walk,
)

SAM = "AWS::Serverless-2016-10-31"
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::KMS::Alias": "AliasName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SSM::Parameter": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::HttpApi": "Name",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::Serverless::LayerVersion": "LayerName",
    "AWS::Batch::JobQueue": "JobQueueName",
    "AWS::Batch::JobDefinition": "JobDefinitionName",
    "AWS::Batch::SchedulingPolicy": "Name",
    "AWS::ECR::Repository": "RepositoryName",
}
"""Where each type keeps its name."""

HARMLESS = {
    "OriginSecret": "the secret's name, not its value",
    "DeliveryPublicKey": "the public half",
    "SecretsArn": "how their ARNs begin",
}
"""Parameters that sound secret."""

BY_NAME = pytest.mark.parametrize("each", templates(), ids=lambda each: each.name)


class TestFiles:
    def test_every_template_belongs_to_a_root(self) -> None:
        """A template that no root stack nests is never deployed."""
        on_disk = {path.name for path in (REPO / "infrastructure").glob("*.yaml")} | {"template.yaml"}
        assert on_disk == {each.path.name for each in templates()}

    def test_the_apps_root_is_short(self) -> None:
        """At most 200 lines: parameters, layers, nested stacks, outputs."""
        assert len((REPO / "template.yaml").read_text().splitlines()) <= 220

    @BY_NAME
    def test_each_is_about_one_thing(self, each: Template) -> None:
        """At most 400 lines, or it wants to be two."""
        assert len(each.path.read_text().splitlines()) <= 400

    @BY_NAME
    def test_it_stays_below_the_limits(self, each: Template) -> None:
        """CloudFormation holds 500 resources and 200 parameters a stack; there must be room to grow."""
        body = transform(each) if each.body.get("Transform") == SAM else each.body
        assert len(body["Resources"]) < 400
        assert len(json.dumps(body)) < 1_000_000


class TestLinks:
    @BY_NAME
    def test_no_exports(self, each: Template) -> None:
        """An export ties stacks together in the order of their making; names and parameters do not."""
        found = [v for v in walk(each.body) if isinstance(v, dict) and ({"Export", "Fn::ImportValue"} & v.keys())]
        assert found == []

    def test_nested_stacks_get_exactly_their_parameters(self) -> None:
        """Each parameter of a nested template is given, unless it has a default, and no other."""
        stacks = everything("AWS::CloudFormation::Stack")
        assert len(stacks) == len(templates()) - 3
        for nested in stacks.values():
            inner = template(nested["Properties"]["TemplateURL"].rpartition("/")[2].removesuffix(".yaml"))
            given = set(nested["Properties"]["Parameters"])
            assert given <= set(inner.parameters)
            assert {n for n, p in inner.parameters.items() if "Default" not in p} <= given

    def test_streams_are_found_where_the_foundation_notes_them(self) -> None:
        """Every stream that the app resolves is an SSM parameter of tables.yaml."""
        noted = {text(p["Properties"]["Name"]) for p in everything("AWS::SSM::Parameter").values()}
        wanted = set(
            re.findall(r"resolve:ssm:(/snapforge/\$\{Stage\}/streams/\w+)", template("template").path.read_text())
        )
        assert wanted
        assert wanted <= noted

    def test_the_app_holds_no_data(self) -> None:
        """A rollback or deletion of the app reaches no table, bucket, key or secret."""
        kept = (
            "AWS::DynamoDB::Table",
            "AWS::S3::Bucket",
            "AWS::KMS::Key",
            "AWS::SecretsManager::Secret",
            "AWS::SQS::Queue",
        )
        assert {kind for t in templates() if t.root == "foundation" for kind in kept if t.of_type(kind)} == set(kept)
        assert len([t for t in templates() if t.root == "app"]) > 10
        assert [t.name for t in templates() if t.root == "app" for kind in kept if t.of_type(kind)] == []


class TestNames:
    @BY_NAME
    def test_they_are_fixed_and_carry_the_stage(self, each: Template) -> None:
        """Stacks find each other by name, and stages share an account."""
        unnamed = [
            name
            for name, resource in each.resources.items()
            if (place := NAMES.get(resource["Type"])) and "${Stage}" not in text(resource["Properties"].get(place, ""))
        ]
        assert unnamed == []

    def test_no_two_alike(self) -> None:
        """Two resources of one name cannot both be made."""
        names = [
            (resource["Type"], text(resource["Properties"][place]))
            for each in templates()
            for resource in each.resources.values()
            if (place := NAMES.get(resource["Type"]))
        ]
        assert len(names) > 150
        assert sorted({name for name in names if names.count(name) > 1}) == []

    def test_tables_and_buckets_are_those_of_the_contexts(self) -> None:
        """The code makes table names from TABLE_PREFIX and the context."""
        asked = set()
        for store in (REPO / "layers/core/snapforge").glob("*/store.py"):
            asked |= set(re.findall(r'context = "(\w+)"', store.read_text()))
        made = {text(t["Properties"]["TableName"]) for t in everything("AWS::DynamoDB::Table").values()}
        assert asked
        assert {f"snapforge-${{Stage}}-{context}" for context in asked} <= made

    def test_indexes_are_those_that_the_code_queries(self) -> None:
        """Each `index_name` of a store stands on some table, and no index is left over."""
        code = "\n".join(path.read_text() for path in (REPO / "layers/core/snapforge").rglob("*.py"))
        asked = set(re.findall(r'index_name = "(\w+)"', code))
        made = {
            index["IndexName"]
            for table in everything("AWS::DynamoDB::Table").values()
            for index in table["Properties"].get("GlobalSecondaryIndexes", [])
        }
        assert made == asked


class TestSecrets:
    @BY_NAME
    def test_none_is_a_parameter(self, each: Template) -> None:
        """Parameters are read by everybody who may describe a stack."""
        telling = [
            name
            for name, parameter in each.parameters.items()
            if (
                re.search(r"secret|password|token|credential|(?<!Api)key$", name, re.IGNORECASE)
                and name not in HARMLESS
            )
            or "NoEcho" in parameter
        ]
        assert telling == []

    def test_values_are_generated_or_put_by_the_operator(self) -> None:
        """No template holds a secret's value; one is composed of a generated one by reference."""
        secrets = everything("AWS::SecretsManager::Secret")
        assert len(secrets) >= 6
        for name, secret in secrets.items():
            value = secret["Properties"].get("SecretString")
            assert value is None or "{{resolve:secretsmanager:" in text(value), name
            assert "KmsKeyId" in secret["Properties"], name

    def test_functions_get_names_not_values(self) -> None:
        """No environment variable is resolved from Secrets Manager: the console shows them."""
        assert len(functions()) > 50
        for function in functions():
            assert "{{resolve:" not in json.dumps(function.properties["Environment"]), function.logical_id


class TestFunctions:
    @pytest.mark.parametrize("function", functions(), ids=lambda function: function.logical_id)
    def test_deployed_gradually_and_seen(self, function: Function) -> None:
        """A published version behind `live`, traced, with logs that end, on Lambda's Python 3.13."""
        properties = function.properties
        assert properties["AutoPublishAlias"] == "live"
        assert properties["AutoPublishCodeSha256"] == {"Ref": "ReleaseSha"}
        assert properties["DeploymentPreference"]["Type"] == {"Ref": "DeploymentPreference"}
        assert properties["Tracing"] == "Active"
        assert properties["LoggingConfig"] == {"LogGroup": {"Ref": "Logs"}}
        assert properties["Architectures"] == ["x86_64"]
        if function.image:
            return
        assert properties["Runtime"] == "python3.13"
        assert properties["Layers"][:2] == [{"Ref": "BaseLayer"}, {"Ref": "CoreLayer"}]

    def test_routes_answer_before_the_gateway_gives_up(self) -> None:
        """An HttpApi ends at 30 s."""
        routed = [f for f in functions() if f.routes]
        assert len(routed) > 30
        assert [f.logical_id for f in routed if f.properties["Timeout"] > 29] == []

    def test_sweepers_run_one_at_a_time(self) -> None:
        """A schedule that overtakes itself does the same work twice."""
        scheduled = [
            f for f in functions() if "ScheduleV2" in {e["Type"] for e in f.properties.get("Events", {}).values()}
        ]
        assert len(scheduled) >= 6
        assert {f.properties["ReservedConcurrentExecutions"] for f in scheduled} == {1}

    def test_logs_end(self) -> None:
        """Every log group has a retention."""
        groups = everything("AWS::Logs::LogGroup")
        assert len(groups) > 15
        assert [name for name, group in groups.items() if not group["Properties"].get("RetentionInDays")] == []

    def test_apis_are_throttled_and_logged(self) -> None:
        """Each HttpApi has a default throttle and an access log, and no CORS: there is one origin."""
        apis = everything("AWS::Serverless::HttpApi")
        assert len(apis) >= 6
        for name, api in apis.items():
            assert api["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0, name
            assert "AccessLogSettings" in api["Properties"], name
            assert "CorsConfiguration" not in api["Properties"], name
