"""Models that are served, and how they are loaded, reloaded and run. Nothing here knows HTTP."""
