"""The edge: one origin, what is cached, who is let through, which headers everybody gets."""

import re

import pytest

from tests.support.templates import REPO, template, text

EDGE = template("edge")
SITE = EDGE.resources["Site"]["Properties"]["DistributionConfig"]
APIS = [behaviour for behaviour in SITE["CacheBehaviors"] if behaviour["PathPattern"].startswith("/v1")]
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"


class TestApis:
    def test_answers_are_never_cached_and_requests_come_whole(self) -> None:
        """Every API behaviour: no caching, all headers but Host, all methods, HTTPS only."""
        assert len(APIS) >= 5
        for behaviour in APIS:
            assert behaviour["CachePolicyId"] == CACHING_DISABLED
            assert behaviour["OriginRequestPolicyId"] == ALL_VIEWER_EXCEPT_HOST
            assert {"POST", "DELETE"} <= set(behaviour["AllowedMethods"])
            assert behaviour["ViewerProtocolPolicy"] == "https-only"

    @pytest.mark.part("ID-9")
    def test_they_learn_the_viewers_address(self) -> None:
        """The Function sets the header that `http.request` reads, on every API behaviour, over what a viewer sent."""
        code = EDGE.resources["ViewerAddress"]["Properties"]["FunctionCode"]
        assert "headers['x-viewer-ip'] = { value: event.viewer.ip }" in code
        assert '"x-viewer-ip"' in (REPO / "layers/core/snapforge/http/request.py").read_text()
        for behaviour in APIS:
            [association] = behaviour["FunctionAssociations"]
            assert association == {
                "EventType": "viewer-request",
                "FunctionARN": {"Fn::GetAtt": ["ViewerAddress", "FunctionARN"]},
            }

    def test_they_know_the_edge_by_its_secret(self) -> None:
        """Each API origin sends the header that `endpoint` compares; the value is resolved, never written."""
        code = (REPO / "layers/core/snapforge/http/steps/edge.py").read_text()
        origins = [origin for origin in SITE["Origins"] if "CustomOriginConfig" in origin]
        assert len(origins) >= 6
        for origin in origins:
            [header] = origin["OriginCustomHeaders"]
            assert f'"{header["HeaderName"]}"' in code
            assert text(header["HeaderValue"]) == (
                "{{resolve:secretsmanager:snapforge/${Stage}/origin:SecretString:current}}"
            )
            assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"

    def test_the_secret_is_where_the_edge_can_resolve_it(self) -> None:
        """CloudFormation resolves secrets of its own region only: the origin secret is replicated there."""
        secret = template("platform").resources["OriginSecret"]["Properties"]
        assert secret["ReplicaRegions"]["Fn::If"][1] == [{"Region": "us-east-1"}]

    def test_every_origin_is_used_and_there(self) -> None:
        """Behaviours and origins fit each other."""
        origins = {origin["Id"] for origin in SITE["Origins"]}
        used = {b["TargetOriginId"] for b in [SITE["DefaultCacheBehavior"], *SITE["CacheBehaviors"]]}
        assert origins == used


@pytest.mark.part("AST-4")
class TestDelivery:
    def test_only_signed_addresses_are_served(self) -> None:
        """/assets/* needs a signature of our key group, and its bucket is reached by CloudFront's own signature."""
        [delivery] = [b for b in SITE["CacheBehaviors"] if b["PathPattern"] == "/assets/*"]
        assert delivery["TrustedKeyGroups"] == [{"Ref": "DeliveryKeys"}]
        assert "FunctionAssociations" not in delivery
        buckets = [origin for origin in SITE["Origins"] if "S3OriginConfig" in origin]
        assert [origin["OriginAccessControlId"] for origin in buckets] == [{"Ref": "BucketAccess"}] * 2

    def test_the_path_is_the_key(self) -> None:
        """Keys that the code delivers lie below the path of this behaviour."""
        assert 'PREFIX = "assets/"' in (REPO / "layers/core/snapforge/aws/delivery.py").read_text()
        [origin] = [origin for origin in SITE["Origins"] if origin["Id"] == "assets"]
        assert "OriginPath" not in origin

    def test_fetches_are_logged(self) -> None:
        """Access is audited, into a bucket that keeps it for more than a year."""
        assert text(SITE["Logging"]["Bucket"]).startswith("snapforge-${Stage}-logs-")
        rules = template("buckets").resources["LogsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        assert max(rule.get("ExpirationInDays", 0) for rule in rules) > 365


class TestPages:
    def test_deep_links_do_not_hide_the_apis_errors(self) -> None:
        """By Function on the web app's behaviour; CustomErrorResponses would turn every 403 and 404 into a page."""
        assert "CustomErrorResponses" not in SITE
        [association] = SITE["DefaultCacheBehavior"]["FunctionAssociations"]
        assert association["FunctionARN"] == {"Fn::GetAtt": ["DeepLinks", "FunctionARN"]}

    @pytest.mark.part("ADM-7")
    @pytest.mark.parametrize("policy", EDGE.of_type("AWS::CloudFront::ResponseHeadersPolicy"))
    def test_security_headers(self, policy: str) -> None:
        """HSTS for two years, nosniff, a CSP that lets no foreign script run and nobody frame a page."""
        headers = EDGE.resources[policy]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
        assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 63072000
        assert headers["ContentTypeOptions"] == {"Override": True}
        csp = text(headers["ContentSecurityPolicy"]["ContentSecurityPolicy"])
        rules = {name: values for name, _, values in (rule.strip().partition(" ") for rule in csp.split(";"))}
        scripts = rules.get("script-src", rules["default-src"])
        assert not re.search(r"https?:|\*|'unsafe-(inline|eval)'", scripts)
        assert rules.get("frame-ancestors") == "'none'" or "sandbox" in rules

    def test_every_behaviour_has_them(self) -> None:
        """No path without a headers policy, none over plain HTTP."""
        for behaviour in [SITE["DefaultCacheBehavior"], *SITE["CacheBehaviors"]]:
            assert "ResponseHeadersPolicyId" in behaviour
            assert behaviour["ViewerProtocolPolicy"] in ("https-only", "redirect-to-https")


@pytest.mark.part("ADM-7")
class TestFirewall:
    def test_rates_are_limited_by_address_and_tighter_for_sign_in(self) -> None:
        """Two rate rules that block; the one for /v1/auth/ comes first and allows less."""
        rules = sorted(EDGE.resources["Firewall"]["Properties"]["Rules"], key=lambda rule: rule["Priority"])
        rates = [rule for rule in rules if "RateBasedStatement" in rule["Statement"]]
        assert [list(rule["Action"]) for rule in rates] == [["Block"], ["Block"]]
        sign_in, all_else = (rule["Statement"]["RateBasedStatement"] for rule in rates)
        assert sign_in["ScopeDownStatement"]["ByteMatchStatement"]["SearchString"] == "/v1/auth/"
        assert sign_in["Limit"] < all_else["Limit"]

    def test_it_guards_the_site(self) -> None:
        """The web ACL is the distribution's, with AWS's managed rules."""
        assert SITE["WebACLId"] == {"Fn::GetAtt": ["Firewall", "Arn"]}
        managed = {
            rule["Statement"]["ManagedRuleGroupStatement"]["Name"]
            for rule in EDGE.resources["Firewall"]["Properties"]["Rules"]
            if "ManagedRuleGroupStatement" in rule["Statement"]
        }
        assert managed == {
            "AWSManagedRulesAmazonIpReputationList",
            "AWSManagedRulesKnownBadInputsRuleSet",
            "AWSManagedRulesCommonRuleSet",
        }
