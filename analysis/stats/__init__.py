"""The mathematics of a cohort: arrays in, numbers out; no table, no file, no figure."""
