"""What a technician would look at, looked at: each line says what, how it is, and what to do."""
