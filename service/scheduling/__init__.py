"""Scheduling: admission, deadlines, batches, and the threads that run models."""
