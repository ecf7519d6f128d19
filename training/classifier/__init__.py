"""Text classifiers: from labelled corpora to a bundle that ``POST /classify`` serves."""
