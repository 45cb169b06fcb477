"""`python -m qviz` is the command line."""

from qviz.cli import main

if __name__ == "__main__":
    main()
