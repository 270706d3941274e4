"""``python -m asynclint``: the same door as the command."""

from asynclint.cli import main

main()
