"""config.ini -> one checked, frozen settings object per experiment.

`fields` are the building blocks, `common` is what every experiment has, `one_roi`, `two_roi` and `clmf` are the
experiments, `ini` reads and writes the file, `loading` checks it and complains in sentences, `table` is for
docs/settings.md.  `original` translates sections of the original CLoPy; `sites` are the standard ones.
"""
