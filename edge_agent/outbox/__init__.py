"""What must not be lost: the spool of readings and the queue of messages."""
