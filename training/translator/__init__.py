"""Measurement of a translator as its users see it: by domain, by kind of input, and as a report."""
