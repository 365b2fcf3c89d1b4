"""What the house offers, as data: models and presets with their defaults, prices and speeds."""
