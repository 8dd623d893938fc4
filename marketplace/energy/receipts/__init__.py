"""Green receipts: what they say, how they are signed, and when a new version is due."""
