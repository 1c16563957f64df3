"""``python -m mpsops``."""

from mpsops.cli import app

if __name__ == "__main__":
    app(prog_name="mpsops")
