"""Programs that try or do one thing by itself: `python -m rig.commands.NAME --help`.

outputs, lick, tones, pose and camera try a device; calibrate measures the valve; ledger shows the water of each mouse;
finish finishes the files of sessions that were cut short.
"""
