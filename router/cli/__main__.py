"""`python -m router.cli` is `micropacs`."""

from router.cli import main

if __name__ == "__main__":
    main()
