"""`python -m worker`: the container's entry point."""

import sys

from worker.run import main

sys.exit(main())
