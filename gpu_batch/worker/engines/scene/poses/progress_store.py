"""What the ladder has done so far, in files: a later entry goes on from there and does nothing twice."""

import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from snapforge.contracts.results import PoseRung
from worker.engines.scene.colmap import pycolmap
from worker.engines.scene.poses.task import Model

_MAX_MODELS = 6
_MIN_PHOTOS = 3


class ProgressStore:
    """`journal.json` and `models/` in a folder; models are kept with the features that they were made of."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._file = folder / "journal.json"
        self._models = folder / "models"
        self._database, self._before = folder / "database.db", folder / "before.db"
        empty: dict[str, Any] = {"plans": {}, "rungs": [], "models": []}
        self._record = json.loads(self._file.read_text()) if self._file.exists() else empty

    def plan(self, key: str, make: Callable[[], list[Any]]) -> list[Any]:
        """The list made under this key by this or an earlier entry: half of it done, it must not come out otherwise."""
        if key not in self._record["plans"]:
            self._record["plans"][key] = make()
            self._write()
        return list(self._record["plans"][key])

    @property
    def rungs(self) -> tuple[PoseRung, ...]:
        """What was climbed."""
        return tuple(PoseRung.model_validate(rung) for rung in self._record["rungs"])

    def climbed(self, name: str) -> bool:
        """Whether this rung is done."""
        return any(rung.name == name for rung in self.rungs)

    def models(self) -> list[Model]:
        """The models found, the largest first; read anew, so that they may be changed."""
        return [
            Model(pycolmap.Reconstruction(self._models / one["folder"]), one["method"])
            for one in self._record["models"]
        ]

    @property
    def registered(self) -> int:
        """Photos in the largest model so far."""
        return max((one["photos"] for one in self._record["models"]), default=0)

    def branch(self) -> None:
        """Set the database aside before its features are changed; `add` decides which one stays."""
        if not self._before.exists():
            shutil.copy(self._database, self._before)

    def add(self, rung: PoseRung, models: list[Model]) -> None:
        """Write down what a rung gave. After `branch`, models of the older features go, or, if better, all of this."""
        changed = self._before.exists()
        if changed and rung.registered <= self.registered:
            self._before.replace(self._database)
            models = []
        elif changed:
            self._before.unlink()
            self._record["models"] = []
        number = len(self._record["rungs"])
        for index, model in enumerate(models):
            photos = model.reconstruction.num_reg_images()
            if photos >= _MIN_PHOTOS:
                folder = f"{number}-{index}"
                (self._models / folder).mkdir(parents=True, exist_ok=True)
                model.reconstruction.write(self._models / folder)
                one = {"folder": folder, "method": model.method, "photos": photos, "error": model.error_px}
                self._record["models"].append(one)
        # With equal photos the earlier rung stays.
        self._record["models"] = sorted(self._record["models"], key=lambda one: -one["photos"])[:_MAX_MODELS]
        self._record["rungs"].append(rung.model_dump(mode="json"))
        self._write()
        for folder_ in self._models.glob("*"):
            if folder_.name not in {one["folder"] for one in self._record["models"]}:
                shutil.rmtree(folder_)

    def _write(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._record))
        fresh.replace(self._file)
