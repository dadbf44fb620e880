"""`python -m calm_lm`, the same as `calm`: for launchers that start a module."""

from calm_lm.cli.main import main

main()
