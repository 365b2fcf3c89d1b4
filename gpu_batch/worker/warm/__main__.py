"""`python -m worker.warm`: the command of the job definition `image`."""

import os
import sys

# As in `worker.__main__`: torch's threads shall sleep while they wait.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from worker.warm.worker import main

sys.exit(main())
