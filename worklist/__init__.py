"""Which film needs a reader next, and who has it."""
