"""Readers of file formats, each with its library, or with its own code where there is none."""
