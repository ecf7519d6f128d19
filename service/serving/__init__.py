"""Processes and sockets: what starts, binds, forks, listens and ends. No room knows of it."""
