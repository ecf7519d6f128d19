"""The translator: training, distillation, export and publication, and its measurement as its users see it."""
