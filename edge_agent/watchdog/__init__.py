"""Whether all parts of the program go round; the service manager, which is told, restarts it when not."""
