"""Predictors, one for each task: encode, run and decode, free of HTTP."""
