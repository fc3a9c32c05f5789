"""Sources: how a company's own tables are reached, checked, and brought to the canonical ones."""
