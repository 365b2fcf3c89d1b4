"""`python -m training.demo`: render, set the encoder, train decoder and transformer, score, record.

Cut off, it leaves a usable transformer of at most four minutes before in the work folder; the pictures stay there too.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Parse, and do it all."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    parser = argparse.ArgumentParser(prog="python -m training.demo", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="of training; rendering and scoring take ten more")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    parser.add_argument("--work", type=Path, default=Path(".local/demo-model"), help="what is kept between runs")
    parser.add_argument("--pictures", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=2, help="of the training")
    parser.add_argument("--go-on", action="store_true", help="train what an earlier run left in `work` further")
    parser.add_argument("--score-only", action="store_true", help="measure and record the model that stands in `out`")
    wanted = parser.parse_args()

    from training.demo.run import Plan, measure, train_all

    plan = Plan(wanted.out, wanted.work, wanted.minutes * 60, wanted.pictures, wanted.threads, wanted.go_on)
    if not wanted.score_only:
        train_all(plan, _told)
    _told(json.dumps(measure(plan)))


def _told(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
