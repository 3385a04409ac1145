"""What the parts of the system promise each other: `python -m unittest`."""
