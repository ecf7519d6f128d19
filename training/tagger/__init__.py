"""The tagger: tags and entities of words. Training, distillation, measurement, export and publication."""
