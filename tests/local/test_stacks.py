"""The stacks: what the templates say stands, what is left out is named, a change updates and keeps what was there."""

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.local.region import Region, RegionFailed
from infrastructure.local.stacks import adapt, left_out
from infrastructure.local.stacks.resolve import Resolver
from tests.local.conftest import STACK, options
from tests.support.region import until


class TestStanding:
    """After a start."""

    def test_root_and_nested_stacks_stand_each_by_itself(self, small: Region) -> None:
        stacks = small.client("cloudformation").describe_stacks()["Stacks"]

        assert {stack["StackName"]: stack["StackStatus"] for stack in stacks} == dict.fromkeys(
            ["snapforge-local-template", "snapforge-local-template-batch", "snapforge-local-template-further"],
            "CREATE_COMPLETE",
        )

    def test_what_is_left_out_is_not_there(self, small: Region) -> None:
        kinds = {
            resource["ResourceType"]
            for stack in small.client("cloudformation").describe_stacks()["Stacks"]
            for resource in small.client("cloudformation").describe_stack_resources(StackName=stack["StackName"])[
                "StackResources"
            ]
        }

        assert {
            "AWS::DynamoDB::Table",
            "AWS::Lambda::Function",
            "AWS::Events::Rule",
            "AWS::Scheduler::Schedule",
        } <= kinds
        assert not [kind for kind in kinds if kind.startswith(("AWS::Batch", "AWS::ApiGatewayV2", "AWS::Logs"))]
        assert "AWS::Lambda::LayerVersion" not in kinds

    def test_generated_secrets_have_values_and_references_are_filled_in(self, small: Region) -> None:
        def read(name: str) -> str:
            value: str = small.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
            return value

        made = json.loads(read("test/dev/made"))
        assert made["previous"] is None
        assert len(made["current"]) == 40
        assert json.loads(read("test/dev/nested"))["inner"] == read("test/dev/plain")
        key = json.loads(read("snapforge/dev/delivery-key"))
        assert key["private_key"].startswith("-----BEGIN PRIVATE KEY-----")

    def test_the_sender_is_verified_and_its_mail_lands_in_the_mailbox(self, small: Region, web: httpx.Client) -> None:
        small.client("sesv2").send_email(
            FromEmailAddress="Snapforge <hello@snapforge.example>",
            Destination={"ToAddresses": ["a@example.com"]},
            Content={
                "Simple": {
                    "Subject": {"Data": "Grüße & <b>"},
                    "Body": {"Text": {"Data": "plain words"}, "Html": {"Data": "<p>rich <script>1</script></p>"}},
                }
            },
        )

        mail = small.mail()[0]
        assert (mail["subject"], mail["to"], mail["text"]) == ("Grüße & <b>", ["a@example.com"], "plain words")
        assert "Grüße &amp; &lt;b&gt;" in web.get("/_mail").text
        page = web.get(f"/_mail/{mail['id']}")
        assert "plain words" in page.text
        assert "<script>" not in page.text
        assert "sandbox=" in page.text
        assert web.get("/_mail/nothing").status_code == 404


class TestChanging:
    """Templates change between two starts, or under a running region."""

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        """A copy of the small stack that may be changed."""
        shutil.copytree(STACK.parent, tmp_path / "stack")
        return tmp_path / "stack" / "template.yaml"

    def test_an_unchanged_start_deploys_nothing_and_a_changed_one_updates_and_keeps_the_rows(
        self, tmp_path: Path, copy: Path
    ) -> None:
        state = tmp_path / "state"
        with Region(state, options(roots=(copy,))) as region:
            region.client("dynamodb").put_item(TableName="dev-things", Item={"pk": {"S": "kept"}})
            region.client("s3").put_object(Bucket="snapforge-dev-assets-000000000000", Key="assets/kept", Body=b"kept")
            address, emulator = region.api_url, region.emulator_url
            assert region.deploy() is False
        with Region(state, options(roots=(copy,))) as region:
            assert (region.api_url, region.emulator_url) == (address, emulator)
            assert not (region.state.logs / "deploy.log").read_text().count("Traceback")
            assert region.deploy() is False

            copy.write_text(copy.read_text().replace("Default: hello", "Default: goodbye"))
            assert region.deploy() is True

            def own() -> str:
                answer = httpx.post(f"{region.api_url}/v1/echo", trust_env=False)
                return str(answer.json()["environment"]["OWN"])

            until(lambda: own() == "goodbye dev-things")
            item = region.client("dynamodb").get_item(TableName="dev-things", Key={"pk": {"S": "kept"}})
            assert "Item" in item
            body = region.client("s3").get_object(Bucket="snapforge-dev-assets-000000000000", Key="assets/kept")["Body"]
            assert body.read() == b"kept"

    def test_a_template_that_cannot_stand_is_refused_with_its_resource_and_can_be_mended(
        self, tmp_path: Path, copy: Path
    ) -> None:
        whole = copy.read_text()
        copy.write_text(whole.replace("Type: AWS::Events::EventBus", "Type: AWS::Events::Autobus", 1))
        with pytest.raises(RegionFailed, match="Autobus"):
            Region(tmp_path / "state", options(roots=(copy,))).start()

        copy.write_text(whole)
        with Region(tmp_path / "state", options(roots=(copy,))) as region:
            assert httpx.post(f"{region.api_url}/v1/echo", trust_env=False).status_code == 201

    def test_a_parameter_that_nobody_gives_is_named(self, tmp_path: Path, copy: Path) -> None:
        copy.write_text(copy.read_text().replace("Default: hello", "NoEcho: false"))

        with pytest.raises(RegionFailed, match="Greeting"):
            Region(tmp_path / "state", options(roots=(copy,))).start()


class TestLeftOut:
    """The one list."""

    def test_references_to_what_is_gone_become_stand_ins(self) -> None:
        template: dict[str, Any] = {
            "Resources": {
                "Queue": {"Type": "AWS::Batch::JobQueue", "Properties": {}},
                "Kept": {
                    "Type": "AWS::SQS::Queue",
                    "DependsOn": ["Queue"],
                    "Properties": {
                        "A": {"Ref": "Queue"},
                        "B": {"Fn::GetAtt": ["Queue", "Arn"]},
                        "C": {"Fn::Sub": "x ${Queue} ${Queue.Arn} ${Kept}"},
                        "D": {"Fn::Sub": ["${Y}", {"Y": {"Ref": "Queue"}}]},
                    },
                },
            },
            "Outputs": {"Out": {"Value": {"Ref": "Queue"}}},
        }

        gone = left_out.take_out(template)

        assert list(gone) == ["Queue"]
        assert template["Resources"]["Kept"] == {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "A": "left-out.Queue",
                "B": "left-out.Queue.Arn",
                "C": {"Fn::Sub": "x left-out.Queue left-out.Queue.Arn ${Kept}"},
                "D": {"Fn::Sub": ["${Y}", {"Y": "left-out.Queue"}]},
            },
        }
        assert template["Outputs"]["Out"]["Value"] == "left-out.Queue"

    def test_only_permissions_of_api_gateway_are_left_out(self) -> None:
        def permission(who: str) -> dict[str, Any]:
            return {"Type": "AWS::Lambda::Permission", "Properties": {"Principal": who}}

        assert left_out.reason(permission("apigateway.amazonaws.com"))
        assert left_out.reason(permission("events.amazonaws.com")) is None


class TestResolving:
    """Intrinsic functions in what the emulator does not get."""

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ({"Ref": "Stage"}, "dev"),
            ({"Ref": "AWS::Region"}, "eu-central-1"),
            ({"Fn::Sub": "a-${Stage}-${AWS::AccountId}-${!kept}"}, "a-dev-000000000000-${kept}"),
            (
                {"Fn::Sub": ["${X}/${Repo.RepositoryUri}", {"X": {"Ref": "Stage"}}]},
                "dev/000000000000.dkr.ecr.eu-central-1.amazonaws.com/repo",
            ),
            ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-dev"),
            ({"Fn::If": ["IsDev", "yes", "no"]}, "yes"),
            ({"Fn::If": ["Neither", "yes", "no"]}, "no"),
            ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
            ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "cpu"]}, 2),
            ({"Fn::GetAtt": ["Child", "Outputs.Name"]}, "given"),
            ([1, {"Ref": "AWS::NoValue"}, {"a": {"Ref": "AWS::NoValue"}}], [1, {}]),
        ],
    )
    def test_each_function(self, expression: Any, value: Any) -> None:
        template = {
            "Conditions": {
                "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
                "Neither": {"Fn::Not": [{"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "IsDev"}]}]},
            },
            "Mappings": {"Sizes": {"dev": {"cpu": 2}}},
        }
        resolver = Resolver(template, {"Stage": "dev"}, {"Repo": "repo"})
        resolver.know("Child", {"Name": "given"})

        assert resolver.resolve(expression) == value

    def test_an_unknown_function_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="Cidr"):
            Resolver({}, {}, {}).resolve({"Fn::Cidr": ["10.0.0.0/8", 1, 8]})


class TestAdapting:
    """Where MiniStack needs other words."""

    def test_a_lost_host_is_retried_where_lambdas_own_faults_are(self) -> None:
        rule = {"ErrorEquals": ["Lambda.ServiceException"], "MaxAttempts": 6}
        other = {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}

        adapted = adapt.retry_lost_host(
            {"States": {"A": {"Retry": [rule, other], "Catch": [{"ErrorEquals": ["Lambda.ServiceException"]}]}}}
        )

        assert adapted["States"]["A"]["Retry"] == [
            {"ErrorEquals": ["Lambda.ServiceException", "Runtime.HandlerError"], "MaxAttempts": 6},
            other,
        ]
        assert adapted["States"]["A"]["Catch"] == [{"ErrorEquals": ["Lambda.ServiceException"]}]

    def test_dynamic_references_are_looked_up_with_parameters_in_their_names(self) -> None:
        value = {"Fn::Sub": "x {{resolve:ssm:/a/${Stage}/b}} {{resolve:ssm:/gone}} {{resolve:secretsmanager:${Own}}}"}

        resolved = adapt.resolve_dynamic(value, {"Stage": "dev"}, lambda _, name: {"/a/dev/b": "found"}.get(name))

        assert resolved == {"Fn::Sub": "x found {{resolve:ssm:/gone}} {{resolve:secretsmanager:${Own}}}"}
