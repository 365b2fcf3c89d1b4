"""Running the house: health now, administration later."""
