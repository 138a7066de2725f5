"""A new document is on trial before it counts: what is watched meanwhile, and the way back."""
