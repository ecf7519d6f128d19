"""Commands of ``ribbon``, a module each; heavy packages are imported inside the functions."""
