"""`python -m rankspec`."""

from rankspec.cli import main

main()
