"""What speaks to devices: one file a driver, one line in `table.py`."""
