"""Sessions in the formats of others: one module for each format, found by its name."""
