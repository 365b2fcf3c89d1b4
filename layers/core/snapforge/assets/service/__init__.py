"""What functions and upper contexts may ask of assets, a module for each use."""
