PLACE = "alpha"
