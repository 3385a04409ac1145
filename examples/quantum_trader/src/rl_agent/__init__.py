"""Position sizing from results."""
