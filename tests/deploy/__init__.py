"""The configuration of deploy/, held against the programs that will read it."""
