"""The deployment tried on this machine: Compose's stack from Debian's packages, and two nodes of Ray."""
