"""Many trainings: searching a recipe's settings, and leaving its parts out one by one."""
