"""Snapforge: photos and prompts become finished pictures and 3D models."""

import gc

# What a start makes stays: collecting again and again while it grows was a tenth of a cold start. Requests are short
# and leave few cycles behind.
gc.set_threshold(50_000, 20, 20)
