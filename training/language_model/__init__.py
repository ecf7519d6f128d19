"""Language models: text that goes on, by words, subwords or characters; docs/training.md."""
