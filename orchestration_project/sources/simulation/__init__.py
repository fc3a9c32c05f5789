"""A simulated company: canonical tables with known ways of leaving and a known effect of outreach."""
