"""The statistics of a cohort: from sessions or a table to pages, JSON and CSV; analysis/cohort.py is the command."""
