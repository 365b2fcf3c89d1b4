PLACE = "beta"
