"""Render jobs: quotes, runs and attempts, the workflow's steps, reports, deadlines."""
