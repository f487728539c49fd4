"""A recogniser as one page that opens on a phone without a network."""
