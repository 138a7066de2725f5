"""The hazard benchmark: a house as in life, two weeks at a time, with the truth about what happened."""
