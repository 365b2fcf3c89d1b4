"""pycolmap, with the process's own signal handling kept.

Importing pycolmap installs glog's failure handler, which prints a stack and dies at SIGTERM: a Spot reclaim would lose
the work instead of saving a checkpoint. Setting the handlers that Python knows once more takes them back from glog.
"""

import signal
import threading

import pycolmap

if threading.current_thread() is threading.main_thread():
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, signal.getsignal(_number))

__all__ = ["pycolmap"]
