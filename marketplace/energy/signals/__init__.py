"""Where signals of the grid come from."""
