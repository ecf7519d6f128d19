"""Processes and sockets: starts, binds, forks, listens and ends. No other room imports it."""
