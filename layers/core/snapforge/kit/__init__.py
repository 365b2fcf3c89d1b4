"""Pure building blocks. Imports nothing of ours and touches no network, clock-free where it can be."""
