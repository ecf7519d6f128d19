"""Runs exported networks."""

import os

# Read when onnxruntime is first imported. From 1.29 on its Linux builds keep events in the user's cache folder and send
# them to Microsoft, from a thread of their own: a service writes nowhere and calls nobody, and forks with one thread.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
