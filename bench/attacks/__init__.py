"""Attacks that were found to hurt the service, replayed against a running one."""
