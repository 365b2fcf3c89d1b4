"""Where things lie: the repository, the virtual environments, and one region's state folder."""

from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
ACCOUNT = "000000000000"
REGION = "eu-central-1"
STAGE = "dev"


class Missing(RuntimeError):
    """Something the region needs is not there. The message says what to do."""


def venv_python(name: str) -> Path:
    """The interpreter of `.venvs/<name>`, or Missing with the command that makes it."""
    python = REPO / ".venvs" / name / "bin" / "python"
    if not python.exists():
        raise Missing(
            f"{python.relative_to(REPO)} is missing: the environment '{name}' is not set up. Run `make setup`."
        )
    return python


@dataclass(frozen=True)
class State:
    """The folder that holds one region's state, logs and lock."""

    root: Path

    @property
    def emulator(self) -> Path:
        return self.root / "emulator"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def batch(self) -> Path:
        return self.root / "batch"

    @property
    def functions(self) -> Path:
        """What the deployed stacks say about functions and routes; the functions host reads it."""
        return self.root / "functions.json"

    @property
    def deployed(self) -> Path:
        """Fingerprint of the templates that stand in the emulator."""
        return self.root / "deployed.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def delivery_key(self) -> Path:
        return self.root / "delivery-key.json"

    @property
    def calls(self) -> Path:
        return self.root / "calls.jsonl"

    @property
    def weights(self) -> Path:
        return self.root / "weights"

    def make(self) -> None:
        for folder in (self.root, self.emulator, self.logs, self.batch, self.logs / "batch"):
            folder.mkdir(parents=True, exist_ok=True)
