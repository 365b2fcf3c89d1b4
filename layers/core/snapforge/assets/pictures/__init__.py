"""Pictures: opened safely, turned upright and to sRGB, measured, written anew without metadata.

The only modules that import Pillow and numpy, and only inside functions that run when a picture is at hand.
"""
