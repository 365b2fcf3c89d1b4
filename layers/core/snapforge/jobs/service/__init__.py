"""What functions and upper contexts may ask of jobs: `submission` makes one, `runs` ends it, `fleet` works on it."""
