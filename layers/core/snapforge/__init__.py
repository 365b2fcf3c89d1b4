"""Snapforge: photos and prompts become finished pictures and 3D models."""

import gc

# What a start makes stays: to look through it again and again while it grows was a tenth of a cold start. It makes
# some 120,000 objects; requests are short and leave few cycles behind.
gc.set_threshold(200_000, 10, 10)
