"""Putting the program on a host: units, user, folders, versions side by side, upgrade and back."""
