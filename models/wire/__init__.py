"""The contract between gateway and cloud, byte for byte."""
