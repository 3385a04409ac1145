"""Paper trading: from intents to positions."""
