"""The commands of ``ribbon``, one module each; heavy packages are imported only when a command runs."""
