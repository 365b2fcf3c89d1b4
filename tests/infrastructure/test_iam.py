"""The judge itself: what IAM's documentation says of each element that our policies use."""

from typing import Any

import pytest

from tests.infrastructure.iam import Request, UnknownPolicy, decide, read

ROLE = "arn:aws:iam::000000000000:role/one"
OBJECT = "arn:aws:s3:::bucket/assets/one"


def said(*raw: dict[str, Any], **asked: Any) -> str:
    """The decision of these statements on a GetObject, or on what is asked instead."""
    request = Request(**{"principal": ROLE, "action": "s3:GetObject", "resource": OBJECT, **asked})
    return decide([read("here", one) for one in raw], request)


def allow(**more: Any) -> dict[str, Any]:
    """An Allow of everything, but for what is given."""
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **more}


class TestStatements:
    def test_a_deny_wins_over_every_allow(self) -> None:
        assert said(allow()) == "Allow"
        assert said(allow(), {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}) == "Deny"
        assert said({"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}, allow()) == "Allow"
        assert said() == "nothing said"

    @pytest.mark.parametrize(
        ("action", "covered"),
        [("s3:GetObject", True), ("S3:getobject", True), ("s3:Get*", True), ("s3:GetObjec?", True), ("s3:Put*", False)],
    )
    def test_actions_are_patterns_in_any_case(self, action: str, covered: bool) -> None:
        assert said(allow(Action=action)) == ("Allow" if covered else "nothing said")

    @pytest.mark.parametrize(
        ("resource", "covered"),
        [
            (OBJECT, True),
            ("arn:aws:s3:::bucket/assets/ONE", False),
            ("arn:aws:s3:::bucket/*", True),
            ("arn:aws:s3:::bucket/assets/???", True),
            ("arn:aws:s3:::bucket/assets/[o]ne", False),
            ("arn:aws:s3:::bucket", False),
        ],
    )
    def test_resources_are_patterns_to_the_letter(self, resource: str, covered: bool) -> None:
        assert said(allow(Resource=["arn:aws:s3:::other", resource])) == ("Allow" if covered else "nothing said")

    def test_exceptions_cover_all_the_rest(self) -> None:
        rest = {"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}
        assert said(rest) == "Allow"
        assert said(rest, action="s3:PutObject") == "nothing said"
        rest = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket/runs/*"}
        assert said(rest) == "Allow"
        assert said(rest, resource="arn:aws:s3:::bucket/runs/one") == "nothing said"

    @pytest.mark.parametrize(
        ("principal", "who", "covered"),
        [
            ("*", "anonymous", True),
            ({"AWS": "*"}, ROLE, True),
            ({"AWS": ROLE}, ROLE, True),
            ({"AWS": ROLE}, f"{ROLE}s", False),
            ({"Service": "events.amazonaws.com"}, "events.amazonaws.com", True),
            ({"Service": "events.amazonaws.com"}, ROLE, False),
            # An account is all whom that account lets; our own account is no role of ours by itself.
            ({"AWS": "111122223333"}, "arn:aws:iam::111122223333:user/any", True),
            ({"AWS": "arn:aws:iam::111122223333:root"}, "arn:aws:iam::111122223333:user/any", True),
            ({"AWS": "arn:aws:iam::000000000000:root"}, ROLE, False),
        ],
    )
    def test_principals(self, principal: Any, who: str, covered: bool) -> None:
        assert said(allow(Principal=principal), principal=who) == ("Allow" if covered else "nothing said")


class TestConditions:
    @pytest.mark.parametrize(
        ("operator", "value", "holds"),
        [
            ("Bool", "True", False),
            ("StringEquals", "One", True),
            ("StringEquals", "one", False),
            ("StringEquals", ["two", "One"], True),
            ("StringEqualsIgnoreCase", "one", True),
            ("StringNotEquals", ["two", "One"], False),
            ("StringNotEquals", "two", True),
            ("StringLike", "O?e", True),
            ("StringLike", "O*x", False),
            ("StringNotLike", "O*", False),
            ("Null", "false", True),
            ("Null", "true", False),
            ("StringEqualsIfExists", "two", False),
        ],
    )
    def test_a_key_that_is_there(self, operator: str, value: Any, holds: bool) -> None:
        found = said(allow(Condition={operator: {"aws:Key": value}}), context={"AWS:key": "One"})
        assert found == ("Allow" if holds else "nothing said")

    @pytest.mark.parametrize(
        ("operator", "holds"),
        [
            ("StringEquals", False),
            ("Bool", False),
            ("ArnLike", False),
            ("StringNotEquals", True),
            ("BoolIfExists", True),
        ],
    )
    def test_a_key_that_is_not_there(self, operator: str, holds: bool) -> None:
        assert said(allow(Condition={operator: {"aws:Key": "x"}})) == ("Allow" if holds else "nothing said")
        assert said(allow(Condition={"Null": {"aws:Key": "true"}})) == "Allow"

    @pytest.mark.parametrize(
        ("pattern", "holds"),
        [
            ("arn:aws:events:eu-central-1:000000000000:rule/one", True),
            ("arn:aws:events:eu-central-1:000000000000:rule/*", True),
            ("arn:aws:events:*:*:rule/one", True),
            ("arn:aws:*:rule/one", False),
            ("arn:aws:events:eu-central-1:111122223333:rule/*", False),
        ],
    )
    @pytest.mark.parametrize("operator", ["ArnLike", "ArnEquals"])
    def test_arns_are_compared_part_by_part(self, operator: str, pattern: str, holds: bool) -> None:
        context = {"aws:SourceArn": "arn:aws:events:eu-central-1:000000000000:rule/one"}
        found = said(allow(Condition={operator: {"aws:SourceArn": pattern}}), context=context)
        assert found == ("Allow" if holds else "nothing said")

    def test_all_must_hold(self) -> None:
        both = allow(Condition={"StringEquals": {"aws:A": "1", "aws:B": "2"}, "Bool": {"aws:C": "true"}})
        assert said(both, context={"aws:A": "1", "aws:B": "2", "aws:C": "true"}) == "Allow"
        for missing in ("aws:A", "aws:B", "aws:C"):
            context = {"aws:A": "1", "aws:B": "2", "aws:C": "true", missing: "other"}
            assert said(both, context=context) == "nothing said", missing


class TestUnknown:
    @pytest.mark.parametrize(
        "odd",
        [
            {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
            {"Condition": {"ForAnyValue:StringEquals": {"aws:Key": "x"}}},
            {"Condition": {"StringEquals": {"aws:Key": "${aws:username}"}}},
            {"Effect": "allow"},
            {"NotPrincipal": "*"},
            {"Principal": {"Federated": "x"}},
            {"Principal": {"AWS": "arn:aws:iam::*:role/one"}},
            {"Resource": "bucket/*"},
            {"Resource": "arn:aws:s3:::${aws:username}"},
            {"Resource": []},
            {"NotAction": "s3:*"},
        ],
        ids=str,
    )
    def test_what_it_does_not_know_is_an_error(self, odd: dict[str, Any]) -> None:
        """Never a pass, and never a silent no."""
        with pytest.raises(UnknownPolicy):
            read("here", allow(**odd))
