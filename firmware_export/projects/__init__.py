"""Project forms: Makefile, PlatformIO, ESP-IDF, Zephyr, plain CMake."""
