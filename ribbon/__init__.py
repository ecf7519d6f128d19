"""What people type: the command line and the Python client."""
