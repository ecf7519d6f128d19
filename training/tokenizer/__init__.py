"""The tokenizer: its comparison with libraries, and the training of its sentence boundary model."""
