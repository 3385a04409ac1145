"""What every service shares: settings, logging, Redis, the database."""
