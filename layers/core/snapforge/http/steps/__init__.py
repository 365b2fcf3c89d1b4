"""The steps every request passes, a file each. Each takes (route, request), and raises a Problem to refuse."""
