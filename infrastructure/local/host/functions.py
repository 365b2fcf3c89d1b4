"""What the functions host knows of the deployed functions: read from the file that the deployment wrote."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class StreamSource:
    """What an event source mapping on a DynamoDB stream asks for, and MiniStack leaves out."""

    table: str
    partial_failures: bool
    max_attempts: int | None
    """Deliveries of one batch before it goes to `on_failure`; None is without end."""
    bisect: bool
    on_failure: str | None
    """ARN of the SQS queue for what was given up."""


@dataclass(frozen=True)
class Function:
    """One deployed Lambda function."""

    name: str
    folder: str
    """Absolute CodeUri."""
    handler: str
    """`<file>.<function>` as in the template."""
    environment: dict[str, str]
    timeout: float
    """Seconds."""
    memory: int
    """MiB, as the template says; nothing enforces it here."""
    arn: str
    routes: tuple[str, ...] = ()
    """`POST /v1/jobs`, `GET /v1/jobs/{job_id}`, `ANY /{proxy+}`."""
    url: bool = False
    """Whether it has a Function URL."""
    streams: tuple[StreamSource, ...] = ()
    on_failure: str | None = None
    """ARN of the SQS queue for asynchronous invocations that failed every try."""


@dataclass(frozen=True)
class Deployed:
    """All of it."""

    functions: dict[str, Function] = field(default_factory=dict)
    assets_bucket: str = ""
    origin_secret: str = ""
    """What CloudFront adds to every request to the API."""

    def save(self, path: Path) -> None:
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1))
        part.replace(path)


def load(path: Path) -> Deployed:
    """The deployed functions, or none where nothing was deployed yet."""
    if not path.exists():
        return Deployed()
    raw = json.loads(path.read_text())
    functions = {}
    for name, value in raw.pop("functions").items():
        value["routes"] = tuple(value["routes"])
        value["streams"] = tuple(StreamSource(**stream) for stream in value["streams"])
        functions[name] = Function(**value)
    return Deployed(functions=functions, **raw)
