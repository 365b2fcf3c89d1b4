"""What functions and upper contexts may ask of identity, a module for each use."""
