"""Dies without a word."""

import os


def handler(event, context):
    os.kill(os.getpid(), 9)
