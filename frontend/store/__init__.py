"""Pages of buyers and of everybody."""
