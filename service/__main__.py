"""`python -m service` is `spinenode`."""

from service.cli import main

main()
