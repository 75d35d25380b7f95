"""Where the base is, on hardware that does not know it."""
