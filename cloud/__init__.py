"""The program on a server: store, judge in the large, send people, learn, show."""
