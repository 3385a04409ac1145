"""The ensemble: several simple models vote on every tick of the market."""
