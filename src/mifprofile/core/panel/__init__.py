"""What a panel's markers mean, what it can answer, and its traps."""
