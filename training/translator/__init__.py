"""The translator: training, distillation, export, publication, and measurement of the translations that users get."""
