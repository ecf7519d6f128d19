"""Coverage-guided fuzzing of what reads strangers' bytes and texts: ``python -m bench.fuzz``."""
