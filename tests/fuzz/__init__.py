"""What no well-meaning client sends, sent to the service as users run it."""
