"""Many models of one kind trained together, in one program that JAX compiles.

A fleet's models share architecture, settings and losses. Each has its own examples, teachers and
seed. `training` calls the child process, `program` is what runs there.
"""
