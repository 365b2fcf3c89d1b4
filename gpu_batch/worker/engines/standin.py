"""`python -m worker.engines.standin <folder>`: put a stand-in for image weights into a folder.

For an installation without weights: see `worker.engines.image.standin` for what it is and is not.
"""

import sys
from pathlib import Path

from worker.engines.image.standin import build

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m worker.engines.standin <folder>")
    build(Path(sys.argv[1]))
