"""The series store: landing, chunks, reads."""
