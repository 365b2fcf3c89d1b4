"""Which paths go to which origin at the edge, from the templates: what tools/templates.py writes into edge.yaml.

A path comes from an HttpApi route of a nested stack, and goes to that stack's API (`<Stack>Api`). What is no HttpApi, a
function URL or a WebSocket API, says its paths itself, `Metadata: {EdgePaths: [/openai/*]}`, and goes to the app's
output `<LogicalId>Domain`. Contexts may share a prefix: as much of a path is written as tells two origins apart.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_BEHAVIOURS = 75
"""CloudFront's quota of cache behaviours besides the default, where nobody asked for more."""
FALLBACK = ("/v1/*", "AdminApi")
"""A path of the API that no route has: admin's API answers 404 as JSON, where the web app would answer a page."""


@dataclass
class _Node:
    """A segment of paths."""

    here: set[str] = field(default_factory=set)
    """Origins of routes that end here."""
    children: dict[str, "_Node"] = field(default_factory=dict)
    """By segment; `*` for a variable."""

    def origins(self) -> set[str]:
        return self.here.union(*(child.origins() for child in self.children.values()))


def patterns(routes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(path pattern, origin), in the order in which CloudFront tries them, for (path, origin) of every route.

    ValueError where a path is served by two origins, or by another one than its own, or where the quota is not enough.
    """
    known = sorted(set(routes))
    root = _Node()
    for path, origin in known:
        node = root
        for segment in path.strip("/").split("/"):
            node = node.children.setdefault(re.sub(r"^\{.*\}$", "*", segment), _Node())
        node.here.add(origin)
    found = sorted(_of(root, ""), key=lambda one: (-len(one[0].replace("*", "")), one[0]))
    for path, origin in known:
        _reached(found, path, origin)
    return found


def _of(node: _Node, path: str) -> Iterator[tuple[str, str]]:
    """The patterns of a node that several origins share, and those of the nodes below it."""
    if len(node.here) > 1:
        raise ValueError(f"{path}: served by {' and '.join(sorted(node.here))}")
    for origin in node.here:
        yield path, origin
    for segment, child in node.children.items():
        below = f"{path}/{segment}"
        if len(owners := child.origins()) == 1 and path:
            alone = not any(other.startswith(segment) for other in node.children if other != segment)
            yield from ((one, next(iter(owners))) for one in _whole(child, below, alone))
        else:
            yield from _of(child, below)


def _whole(node: _Node, path: str, alone: bool) -> list[str]:
    """All below a path, which is one origin's; in one pattern where no neighbour's name begins with this one's."""
    if node.here and node.children:
        return [f"{path}*"] if alone else [path, f"{path}/*"]
    return [path] if node.here else [f"{path}/*"]


def _reached(found: Sequence[tuple[str, str]], path: str, origin: str) -> None:
    asked = re.sub(r"\{[^/]*\}", "x_1", path)
    first = next((where for pattern, where in found if _matches(pattern, asked)), None)
    if first != origin:
        raise ValueError(f"{path} belongs to {origin} and would reach {first}: give one of them another path")


def _matches(pattern: str, path: str) -> bool:
    """`*` is any text, slashes included, as at CloudFront."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), path) is not None


def routes(
    app: Mapping[str, Any], nested: Mapping[str, Mapping[str, Any]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """((path, origin) of HttpApi routes, (path pattern, origin) that resources name themselves).

    `app`: the app's root template; `nested`: the templates that it nests, by TemplateURL.
    """
    of_apis, named = [], []
    for stack, resource in app["Resources"].items():
        if resource["Type"] != "AWS::CloudFormation::Stack":
            continue
        for logical_id, inner in nested[resource["Properties"]["TemplateURL"]]["Resources"].items():
            for event in inner.get("Properties", {}).get("Events", {}).values():
                if event["Type"] == "HttpApi":
                    of_apis.append((event["Properties"]["Path"], f"{stack}Api"))
            named += [(path, f"{logical_id}Domain") for path in inner.get("Metadata", {}).get("EdgePaths", [])]
    return of_apis, named


def behaviours(app: Mapping[str, Any], nested: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """All that the edge needs. ValueError where an output of the app is missing, or the quota is not enough."""
    of_apis, named = routes(app, nested)
    found = [*named, *patterns(of_apis), FALLBACK]
    if missing := {origin for _, origin in found} - app["Outputs"].keys():
        raise ValueError(f"template.yaml: no output {', '.join(sorted(missing))}")
    if len(found) > MAX_BEHAVIOURS:
        raise ValueError(
            f"{len(found)} behaviours; CloudFront takes {MAX_BEHAVIOURS}: give contexts prefixes of their own"
        )
    return found


def blocks(found: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What stands between the markers of edge.yaml, by name."""
    origins = sorted({origin for _, origin in found})
    return {
        "parameters": "".join(f"  {origin}: {{Type: String}}\n" for origin in origins),
        "origins": "".join(_ORIGIN.format(id=_dashes(origin), origin=origin) for origin in origins),
        "behaviours": "".join(_BEHAVIOUR.format(id=_dashes(origin), path=path) for path, origin in found),
    }


def _dashes(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


_SECRET = "{{{{resolve:secretsmanager:snapforge/${{Stage}}/origin:SecretString:current}}}}"
_ORIGIN = f"""\
          - Id: {{id}}
            DomainName: !Ref {{origin}}
            CustomOriginConfig:
              {{{{OriginProtocolPolicy: https-only, OriginSSLProtocols: [TLSv1.2], OriginReadTimeout: 30}}}}
            OriginCustomHeaders: [{{{{HeaderName: x-origin-verify, HeaderValue: !Sub "{_SECRET}"}}}}]
"""
_BEHAVIOUR = """\
          - PathPattern: {path}
            TargetOriginId: {id}
            ViewerProtocolPolicy: https-only
            AllowedMethods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]
            Compress: true
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad # CachingDisabled
            OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac # AllViewerExceptHostHeader
            ResponseHeadersPolicyId: !Ref ApiHeaders
            FunctionAssociations: [{{EventType: viewer-request, FunctionARN: !GetAtt ViewerAddress.FunctionARN}}]
"""
