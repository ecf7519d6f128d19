"""One task each: encode, run, decode; free of HTTP."""
