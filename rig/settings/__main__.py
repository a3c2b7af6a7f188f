"""`python -m rig.settings` prints the tables of all settings that docs/settings.md shows."""

from rig.settings.table import markdown_tables

print(markdown_tables())
