"""A first recipe from what the recordings themselves say."""
