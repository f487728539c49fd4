"""Adapters for public sets of recordings; the data itself is the user's to get."""
