"""A board's stream while it runs: shown, compared with the host, recorded."""
