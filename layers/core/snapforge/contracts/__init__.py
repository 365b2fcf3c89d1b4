"""What the control plane and the GPU workers both read. Pydantic only; changes by expand and contract."""
