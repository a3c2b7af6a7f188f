#!/usr/bin/env bash
# A short session of a simulated mouse, with window and sound where there are any.  It is stored next to the repository,
# so that it never stands in the summary of real mice.
#     tools/run_demo.sh SCRIPT [OPTION ...]
set -euo pipefail
cd "$(dirname "$0")/.."
script=$1
data="$(dirname "$PWD")/clopy_demo"
options=(--simulate --mouse-id demo --data-root "$data" --set total_trials=5 --set initial_rest_dur=8 --set max_trial_dur=20
         --set success_rest_dur=4 --set fail_rest_dur=4)
python=.venv/bin/python
if [[ $script == behavior/* ]]; then
    options+=(--set pose=dlclive --set speed_threshold=8 --set joint_history_sec=3)
else
    options+=(--set reward_threshold=0.05)
fi

window=1 sound=1
$python -c "from rig.screen.window import check_display; check_display()" >/dev/null 2>&1 || window=0
$python -m rig.commands.tones --check >/dev/null 2>&1 || sound=0
if ((window)); then
    echo "The preview opens in a window.  Drag an ROI if you like, then press Esc to start."
else
    echo "HEADLESS: there is no screen; the session runs without a window."
    options+=(--no-window)
fi
if ((sound)); then
    options+=(--set tone=pyaudio)
else
    echo "SILENT: there is no sound device; the tone is simulated."
fi
if ((!window && !sound)); then
    echo "With nothing to see or hear, it runs as fast as it can."
    options+=(--fast)
fi
echo "The session is stored in $data, away from your real ones."
exec $python "$script" "${options[@]}" "${@:2}"
