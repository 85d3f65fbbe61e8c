"""``python -m treesent``."""

from treesent.cli import app

if __name__ == "__main__":
    app(prog_name="python -m treesent")
