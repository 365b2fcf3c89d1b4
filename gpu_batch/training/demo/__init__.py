"""The demo model: a small FLUX of our own, trained on pictures that this folder renders and describes in words.

`python -m training.demo --minutes 60 --out gpu_batch/models/demo` trains it again; docs/decisions/0013-demo-model.md
says why it is what it is.
"""
