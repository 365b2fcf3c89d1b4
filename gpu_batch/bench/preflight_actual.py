"""What really registers: the worker's own stages up to the poses on a folder of photos, with draft settings.

`python -m bench.preflight_actual FOLDER` prints one JSON object as its last line: `registered` file names, what each
rung of the ladder gave, and `code` where the worker refused the set.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import time
from typing import Any

from PIL import Image

from bench.scene_ours import Bench
from snapforge.contracts.manifest import Photo, SceneWork
from worker.engines.scene import views
from worker.errors import InputError
from worker.stages.scene import STAGES


def register(source: pathlib.Path) -> dict[str, Any]:
    """Run check, masks and poses; a refusal registers nothing."""
    files = sorted(source.iterdir())
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as base:
        folder = pathlib.Path(base)
        (folder / "photos").mkdir()
        photos = []
        for index, path in enumerate(files):
            shutil.copy(path, folder / "photos" / f"{index:03d}{path.suffix}")
            with Image.open(path) as image:
                photos.append(Photo(uri="s3://-/-", name=path.name, width=image.width, height=image.height))
        context = Bench(folder, SceneWork(photos=tuple(photos), preset="draft"), "cpu")
        try:
            for stage in STAGES[: [stage.name for stage in STAGES].index("poses") + 1]:
                stage.run(context)
            registered, code, message = sorted(view.name for view in views.load(folder).views), "", ""
        except InputError as error:
            registered, code, message = [], error.code, str(error)
    return {
        "photos": len(files),
        "registered": registered,
        "code": code,
        "message": message,
        "rungs": context.state.get("rungs", []),
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    print(json.dumps(register(pathlib.Path(sys.argv[1]))))
