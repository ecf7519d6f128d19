"""Running an exported network."""
