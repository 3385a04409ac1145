"""The quantum trader: a small system of four services under one contract."""
