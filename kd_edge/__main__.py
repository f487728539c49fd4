"""`python -m kd_edge` is `kd-edge`."""

from kd_edge.cli import main

if __name__ == "__main__":
    main()
