"""The tagger: its generated sentences, where its training starts, and how it is measured on text of other kinds."""
