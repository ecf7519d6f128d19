"""The tokenizer compared with others, by the measures of the CoNLL 2018 shared task."""
