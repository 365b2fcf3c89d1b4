"""Starting, stopping, being killed: the region as a process."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infrastructure.local import paths, ports
from infrastructure.local.paths import REPO, Missing
from infrastructure.local.region import InUse, Region
from tests.local.conftest import STACK, options
from tests.support.region import until

UP = """
import sys, time
from pathlib import Path
from infrastructure.local.region import Region
from tests.local.conftest import options
region = Region(Path(sys.argv[1]), options())
region.start()
Path(sys.argv[1], "ready").touch()
time.sleep(600)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def owner(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a region on `state`."""
    environment = {**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'layers' / 'core'}"}
    process = subprocess.Popen([sys.executable, "-c", UP, str(state)], env=environment, cwd=REPO)
    try:
        until((state / "ready").exists, seconds=40)
        yield process
    finally:
        process.kill()
        process.wait()


class TestState:
    """What outlives a stop, and what does not."""

    def test_a_second_region_on_the_same_folder_is_told_who_holds_it(self, small: Region) -> None:
        with pytest.raises(InUse, match=f"pid {os.getpid()}"):
            Region(small.state_dir, options()).start()

    def test_a_killed_owner_leaves_no_process_and_the_folder_can_be_used_again(
        self, state: Path, owner: subprocess.Popen[bytes]
    ) -> None:
        family = psutil.Process(owner.pid).children(True)
        assert len(family) >= 4
        owner.kill()

        _, alive = psutil.wait_procs(family, timeout=15)
        assert alive == []
        with Region(state, options()) as region:
            assert httpx.post(f"{region.api_url}/v1/echo", trust_env=False).status_code == 201

    def test_a_killed_emulator_is_reported_and_the_next_start_is_empty_and_says_so(self, state: Path) -> None:
        region = Region(state, options())
        with region:
            region.client("dynamodb").put_item(TableName="dev-things", Item={"pk": {"S": "lost"}})
            region.restart_emulator()
            region.client("s3").put_object(Bucket="snapforge-dev-assets-000000000000", Key="lost", Body=b"x")
            os.kill(region.emulator.service.pid, signal.SIGKILL)
            assert "Killed" in (until(region.failure) or "")
        with Region(state, options()) as region:
            assert any("starts empty" in note for note in region.notes)
            assert "Item" not in region.client("dynamodb").get_item(TableName="dev-things", Key={"pk": {"S": "lost"}})
            objects = region.client("s3").list_objects_v2(Bucket="snapforge-dev-assets-000000000000")
            assert objects["KeyCount"] == 0

    def test_a_restarted_emulator_keeps_everything(self, small: Region) -> None:
        small.client("dynamodb").put_item(TableName="dev-things", Item={"pk": {"S": "kept"}})
        small.restart_emulator()

        assert "Item" in small.client("dynamodb").get_item(TableName="dev-things", Key={"pk": {"S": "kept"}})
        assert httpx.get(f"{small.api_url}/v1/slow", trust_env=False).status_code == 200

    def test_the_delivery_key_is_made_once(self, small: Region) -> None:
        key = small.state.delivery_key

        assert key.stat().st_mode & 0o777 == 0o600
        assert json.loads(key.read_text())["key_pair_id"].startswith("K")


class TestMessages:
    """What goes wrong is said in words."""

    def test_a_missing_environment_is_named_with_the_command_that_makes_it(
        self, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paths, "REPO", tmp_path)

        with pytest.raises(Missing, match="make setup"):
            Region(state, options()).start()

    def test_a_port_in_use_is_named(self, state: Path) -> None:
        with ports.listen(0) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ports.PortTaken, match=f"port {port} is in use"):
                Region(state, options(port=port)).start()

    def test_a_failed_start_leaves_nothing_behind(self, state: Path) -> None:
        before = len(psutil.Process().children(True))
        with ports.listen(0) as taken, pytest.raises(ports.PortTaken):
            Region(state, options(port=taken.getsockname()[1])).start()

        assert len(psutil.Process().children(True)) == before


class TestCommand:
    """`python -m infrastructure.local up`."""

    def test_it_tells_its_addresses_and_ctrl_c_stops_it_cleanly(self, state: Path, tmp_path: Path) -> None:
        ready = tmp_path / "ready.json"
        command = [
            sys.executable,
            "-m",
            "infrastructure.local",
            "up",
            "--state",
            str(state),
            "--json-ready",
            str(ready),
        ]
        process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        until(ready.exists, seconds=60)
        addresses = json.loads(ready.read_text())
        family = psutil.Process(process.pid).children(True)
        assert httpx.get(addresses["mail"], trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)

        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        for name in ("api", "mail", "aws", "batch"):
            assert addresses[name] in output
        assert output.rstrip().endswith("Stopping …")
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
        assert not (state / "emulator" / "running").exists()


class TestReload:
    """Handlers change under a running region."""

    def test_a_changed_handler_answers_while_a_running_one_finishes(
        self, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(STACK.parent, tmp_path / "stack")
        handler = tmp_path / "stack" / "alpha" / "answer.py"
        chosen = options(roots=(tmp_path / "stack" / "template.yaml",), reload=True, watched=(tmp_path / "stack",))
        with Region(state, chosen) as region:
            assert httpx.get(f"{region.api_url}/v1/answer/text", trust_env=False).text == "words"
            slow = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"import urllib.request as u; print(u.urlopen('{region.api_url}/v1/slow').status)",
                ],
                stdout=subprocess.PIPE,
                env={"PATH": os.environ["PATH"]},
            )
            log = region.state_dir / "logs" / "dev-slow.log"
            until(lambda: log.exists() and "START RequestId:" in log.read_text())
            assert "END RequestId:" not in log.read_text()
            handler.write_text(handler.read_text().replace('"words"', '"other words"'))

            until(lambda: httpx.get(f"{region.api_url}/v1/answer/text", trust_env=False).text == "other words")
            assert slow.communicate(timeout=20)[0].strip() == b"200"


class TestMemory:
    """Idle memory of all of it."""

    def test_an_idle_region_stays_far_below_700_mebibytes(self, small: Region) -> None:
        parts = [small.functions_host, small.batch, small.emulator.service]
        processes = [psutil.Process(part.pid) for part in parts]
        processes += [child for process in processes for child in process.children(True)]

        proportional = sum(process.memory_full_info().pss for process in processes) / 2**20

        assert proportional < 650  # the region's own process adds some 25
