"""Ties a process to the life of the one that started it, so that nothing is left behind.

Run as a script (`parent_guard.py <signal> <parent pid> <nice> command …`) it holds a foreign program: it asks the
kernel for the signal at the parent's death and then becomes the program.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def hold(sig: int, parent: int) -> None:
    """Deliver `sig` to this process when `parent` ends. Exits at once if it has ended already.

    The kernel watches the parent's *thread* that forked us, so processes are started by threads that live on.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, sig, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"parent_guard: the process {parent} that started this one has ended")


def command(sig: int, nice: int, argv: list[str]) -> list[str]:
    """The command line that runs `argv` so that it ends with the calling process."""
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(sig), str(os.getpid()), str(nice), *argv]


def main() -> None:
    sig, parent, nice, *argv = sys.argv[1:]
    hold(int(sig), int(parent))
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    if int(nice):
        os.nice(int(nice))
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main()
