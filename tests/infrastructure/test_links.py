"""infrastructure/links.py: what it tells the next stack, against a real Secrets Manager and CloudFormation."""

import json
import re
import secrets
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infrastructure import links
from tests.support.aws import Aws

pytestmark = pytest.mark.part("ADM-6")


@pytest.fixture
def name(aws: Aws) -> str:
    """A fresh secret without a value, as the foundation makes it."""
    made = f"links/{secrets.token_hex(4)}/delivery-key"
    aws.client("secretsmanager").create_secret(Name=made)
    return made


class TestDeliveryKey:
    def test_an_empty_secret_gets_a_key_that_cloudfront_takes(self, aws: Aws, name: str) -> None:
        """RSA with 2048 bits; what is returned is the public half of what is kept."""
        client = aws.client("secretsmanager")
        public = links.delivery_key(client, name, "")
        kept = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
        private = serialization.load_pem_private_key(kept["private_key"].encode(), password=None)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert private.key_size == 2048
        assert kept["key_pair_id"] == ""
        read = serialization.load_pem_public_key(public.encode())
        assert isinstance(read, rsa.RSAPublicKey)
        assert read.public_numbers() == private.public_key().public_numbers()

    def test_the_key_stays_and_learns_its_id(self, aws: Aws, name: str) -> None:
        """Later runs keep the key, note the id that the edge gave, and forget it never."""
        client = aws.client("secretsmanager")
        first = links.delivery_key(client, name, "")
        assert links.delivery_key(client, name, "K123") == first
        assert links.delivery_key(client, name, "") == first
        assert json.loads(client.get_secret_value(SecretId=name)["SecretString"])["key_pair_id"] == "K123"


class TestOutputs:
    def test_a_stack_that_does_not_stand_has_none(self, aws: Aws) -> None:
        """Before its first deployment; other errors are not swallowed."""
        assert links.outputs(aws.client("cloudformation"), "nobody-has-made-this") is None

    def test_a_stack_that_stands_tells_them(self, aws: Aws) -> None:
        """By name."""
        client = aws.client("cloudformation")
        body = {
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "links-under-test"}}},
            "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
        }
        client.create_stack(StackName="links-under-test", TemplateBody=json.dumps(body))
        client.get_waiter("stack_create_complete").wait(StackName="links-under-test", WaiterConfig={"Delay": 1})
        assert links.outputs(client, "links-under-test") == {"Name": "links-under-test"}
        client.delete_stack(StackName="links-under-test")

    def test_the_edge_gets_those_that_it_stands_before(self) -> None:
        """APIs and domains by their names; what else the app tells is nothing to it."""
        app = {"JobsApi": "a.example", "InferenceDomain": "b.example", "ReleaseSha": "c"}
        assert links.origins(app) == {"JobsApi": "a.example", "InferenceDomain": "b.example"}


class TestCommit:
    @pytest.fixture
    def tree(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A repository with one commit, as the working directory."""
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            (tmp_path / "file").write_text("one")
            subprocess.run([*git, *command], cwd=tmp_path, check=True)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_a_clean_tree_is_its_commit(self, tree: Path) -> None:
        """The same commit, the same release."""
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tree, check=True, capture_output=True, text=True)
        assert links.commit() == head.stdout.strip()

    def test_a_changed_tree_is_new_each_time(self, tree: Path) -> None:
        """SAM names versions by the first ten characters: these are alphanumeric and never twice the same."""
        (tree / "file").write_text("two")
        first, second = links.commit(), links.commit()
        assert first[:10] != second[:10]
        assert re.fullmatch(r"[0-9a-f]{40}", first)


def test_a_file_is_read_by_sam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """YAML, name to value, at the path that samconfig.toml names; a key with line breaks survives."""
    monkeypatch.setattr(links, "FOLDER", tmp_path)
    links.write("dev-edge", {"IdentityApi": "x.example", "DeliveryPublicKey": "-----BEGIN\nabc\n-----END\n"})
    assert yaml.safe_load((tmp_path / "dev-edge.yaml").read_text()) == {
        "IdentityApi": "x.example",
        "DeliveryPublicKey": "-----BEGIN\nabc\n-----END\n",
    }
    assert "dev-edge.yaml" in capsys.readouterr().out
