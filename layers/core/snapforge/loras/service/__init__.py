"""What functions and upper contexts may ask of loras, a module for each use."""
