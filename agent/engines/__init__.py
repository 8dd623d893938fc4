"""What runs the work: one interface (`base`), and the engines behind it."""
