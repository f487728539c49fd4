"""`results`: recipes in every fold and with several seeds, beside what a student has to beat."""
