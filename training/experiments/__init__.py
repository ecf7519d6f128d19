"""Experiments with small recurrent networks, one script each; every script writes a report with pictures."""
