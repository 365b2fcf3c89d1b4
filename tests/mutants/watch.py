"""A pytest plug-in for the tests that are run on mutants: one line a test, as it ends, into the file that
MUTANTS_WATCH names. The first that failed is the one that noticed, also when the run is killed for its time."""

import json
import os
from pathlib import Path

import pytest

_SECONDS = pytest.StashKey[float]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Set-up, call and teardown: a failure is told at once, the time at the end."""
    outcome = yield
    report = outcome.get_result()
    seconds = item.stash[_SECONDS] = item.stash.get(_SECONDS, 0.0) + call.duration
    if report.failed or report.when == "teardown":
        line = {"test": item.nodeid, "seconds": round(seconds, 3), "failed": report.failed}
        with Path(os.environ["MUTANTS_WATCH"]).open("a") as file:
            file.write(json.dumps(line) + "\n")
