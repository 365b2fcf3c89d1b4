"""The same work as other people would write it."""
