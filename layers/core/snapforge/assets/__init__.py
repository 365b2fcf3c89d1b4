"""Uploads, captures of photos, and the finished assets: what customers bring and what they take away."""
