"""Teachers that somebody else has trained: one table from a file's suffix to what opens it."""
