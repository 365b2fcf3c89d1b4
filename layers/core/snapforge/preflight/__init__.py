"""Looks at small copies of a capture's photos and says how they hang together. The only control-plane room with
pycolmap, which lives in a process of its own: its libraries clash with Pillow's, it takes over signals, and a crash or
an endless loop in it must cost no more than the answer.
"""
