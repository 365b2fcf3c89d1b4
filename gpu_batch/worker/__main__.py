"""`python -m worker`: the container's entry point."""

import os
import sys

# Torch's OpenMP threads spin while they wait. Where other processes share the cores that makes a step ten times slower;
# asleep they cost nothing measurable on an idle machine. Read when torch is loaded, so it is set before any engine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from worker.run import main

sys.exit(main())
