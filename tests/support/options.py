"""Options as a script has them, without a command line."""

from rig.options import Options
from rig.settings.loading import load
from rig.settings.one_roi import OneRoiSettings


def options_of(config, section, model=OneRoiSettings, **overrides):
    """Return the options of a script for a section of a file; what nobody needs is None."""
    cfg = load(model, config, section, {"seed": "1"} | overrides)[0]
    rest = dict.fromkeys(set(Options._fields) - {"settings", "as_read", "config", "section", "mouse_id"})
    return Options(settings=cfg, as_read=cfg, config=config, section=section, mouse_id="m1", **rest)
