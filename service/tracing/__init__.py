"""Where a request's time went, told to whoever collects such things. Nothing is done unless asked for."""
