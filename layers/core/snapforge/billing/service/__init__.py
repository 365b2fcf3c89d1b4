"""What functions and upper contexts may ask of billing."""
