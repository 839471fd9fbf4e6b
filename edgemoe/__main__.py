"""`python -m edgemoe` is the command line."""

from __future__ import annotations

from edgemoe.cli.main import app

if __name__ == "__main__":
    app(prog_name="edgemoe")
