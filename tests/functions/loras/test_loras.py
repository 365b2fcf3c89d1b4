"""The endpoints of LoRAs, and the schedule that removes weights."""

import pytest

from tests.support import people
from tests.support.aws import Aws
from tests.support.http import LambdaContext, call, load
from tests.support.loras import made
from tests.support.people import Somebody


@pytest.fixture(scope="module")
def customer(aws: Aws) -> Somebody:
    return people.verified()


def token(person: Somebody) -> str:
    return person.opened.body.access_token


@pytest.mark.part("JOB-9")
class TestLoras:
    """GET, PATCH, DELETE /v1/loras…, POST …/restore"""

    def test_one_is_listed_shown_and_named(self, customer: Somebody) -> None:
        lora_id, bearer = made(customer.principal.org_id), token(customer)
        listed = call("loras/list_loras", token=bearer).json["items"]
        assert lora_id in [one["id"] for one in listed]
        shown = call("loras/get_lora", path={"lora_id": lora_id}, token=bearer).json
        assert (shown["state"], shown["version"], shown["trigger"]) == ("ready", 1, "grvase")
        assert [one["state"] for one in shown["versions"]] == ["ready"]
        named = call("loras/rename_lora", path={"lora_id": lora_id}, body={"name": "Blue"}, token=bearer)
        assert (named.status, named.json["name"]) == (200, "Blue")

    @pytest.mark.part("JOB-8")
    def test_a_name_that_is_not_drawn_is_422(self, customer: Somebody) -> None:
        path, bearer = {"lora_id": made(customer.principal.org_id)}, token(customer)
        refused = call("loras/rename_lora", path=path, body={"name": "a naked child"}, token=bearer)
        assert (refused.status, refused.json["code"]) == (422, "prompt_refused")
        assert refused.json["errors"][0]["pointer"] == "/name"
        assert call("loras/get_lora", path=path, token=bearer).json["name"] == "A vase"

    def test_deleted_restored_and_gone(self, customer: Somebody) -> None:
        lora_id, bearer = made(customer.principal.org_id), token(customer)
        path = {"lora_id": lora_id}
        assert call("loras/delete_lora", path=path, token=bearer).status == 204
        assert call("loras/get_lora", path=path, token=bearer).json["restorable_until"]
        deleted = call("loras/list_loras", query={"deleted": "true"}, token=bearer).json["items"]
        assert lora_id in [one["id"] for one in deleted]
        assert call("loras/restore_lora", path=path, token=bearer).status == 200
        again = call("loras/restore_lora", path=path, token=bearer)
        assert (again.status, again.json["code"]) == (409, "lora_not_deleted")
        assert call("loras/delete_lora", path=path, query={"now": "true"}, token=bearer).status == 204
        assert call("loras/get_lora", path=path, token=bearer).status == 404

    def test_in_training_it_cannot_be_removed(self, customer: Somebody) -> None:
        lora_id = made(customer.principal.org_id, trained=False)
        refused = call("loras/delete_lora", path={"lora_id": lora_id}, query={"now": "true"}, token=token(customer))
        assert (refused.status, refused.json["code"]) == (409, "lora_in_training")

    def test_the_schedule_answers_how_many_went(self, customer: Somebody) -> None:
        assert load("loras/purge_loras").handler({}, LambdaContext()) == {"purged": 0}
