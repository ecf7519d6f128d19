"""Models of one's own data in one call each: files are read and checked, sizes chosen, a baseline beaten or not."""
