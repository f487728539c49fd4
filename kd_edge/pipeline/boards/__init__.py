"""A bundle's model on boards: reach them, share windows out, compare their answers."""
