"""Who runs when: limits, deadlines and batches."""
