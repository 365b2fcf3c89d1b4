"""Image engines: torch and diffusers are imported below here only."""
