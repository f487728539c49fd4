"""Distillation: losses, several teachers as one, augmentation and the trainer."""
