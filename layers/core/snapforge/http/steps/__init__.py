"""The steps every request passes, a file each. Each takes (endpoint, request), and raises a Problem to refuse."""
