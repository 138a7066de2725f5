"""The program on a gateway: read, judge, store, publish, obey."""
