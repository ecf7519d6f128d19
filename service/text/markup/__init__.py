"""HTML and Markdown documents: what of them is translated, and the translation with all marks in their places."""
