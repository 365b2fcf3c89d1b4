"""Snapforge: photos and prompts become finished pictures and 3D models."""
