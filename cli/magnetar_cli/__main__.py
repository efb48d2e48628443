"""`python -m magnetar_cli` is the `magnetar` command."""

from magnetar_cli.main import main

main()
