"""A hint to memory, for kernels."""

from __future__ import annotations


def fetch_ahead(address: int) -> None:
    """Ask memory for the 64 bytes about an address, and go on without waiting; plain Python does nothing.

    It changes no result, whatever the address. It pays where the next row's record takes longer to come than
    this one's judgement.
    """
