"""When to ask a device, what to make of its answer, and what to do when there is none."""
