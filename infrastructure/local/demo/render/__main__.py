"""python -m infrastructure.local.demo.render OUT --count 32"""

import argparse
import pathlib
import sys
from typing import get_args

from infrastructure.local.demo.render.studio import Background, render_photos


def main(arguments: list[str] | None = None) -> int:
    """Render photos into OUT and the truth into OUT-truth; a counter goes to stdout."""
    parser = argparse.ArgumentParser(prog="render", description=__doc__)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--background", choices=get_args(Background), default="plain")
    chosen = parser.parse_args(arguments)
    render_photos(
        chosen.out,
        count=chosen.count,
        size=(chosen.width, chosen.height),
        seed=chosen.seed,
        background=chosen.background,
        progress=lambda done, total: print(f"{done}/{total}", flush=True),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
