#!/usr/bin/env bash
# Installs what the rig needs: system packages (apt, with sudo where needed), .venv for CLNF, .venv-clmf for CLMF.
# Harmless when repeated: what is there stays.
#     tools/setup.sh [clnf] [clmf]      without a word: both; on a Raspberry Pi: clnf
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

model=$(tr -d '\0' 2>/dev/null </proc/device-tree/model || true)
parts=("$@")
if ((${#parts[@]} == 0)); then
    parts=(clnf clmf)
    [[ $model == *"Raspberry Pi"* ]] && parts=(clnf)
fi

packages=(python3 python3-venv python3-dev gcc libc6-dev portaudio19-dev libgl1 libglib2.0-0)   # the rig
packages+=(git xvfb xdotool pulseaudio pulseaudio-utils libasound2-plugins)                      # its tests
venv_options=()
if [[ $model == *"Raspberry Pi"* ]]; then
    packages+=(python3-picamera2 python3-rpi-lgpio python3-lgpio python3-pyaudio)
    venv_options=(--system-site-packages)   # these four exist only for the system's Python
    PYTHON=/usr/bin/python3
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
if ((${#missing[@]})); then
    echo "Installing with apt: ${missing[*]}"
    sudo=()
    ((EUID)) && sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

install() {   # FOLDER REQUIREMENTS...
    local folder=$1 files=("${@:2}")
    if [ ! -x "$folder/bin/python" ]; then
        echo "Making $folder with $("$PYTHON" --version)"
        "$PYTHON" -m venv "${venv_options[@]}" "$folder"
    fi
    echo "Installing Python packages into $folder: ${files[*]}"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 "${files[@]/#/-r}"
}

offer_real_time() {   # of scheduling: what rig/devices/realtime.py asks for
    local file=/etc/security/limits.d/clopy.conf line="@gpio - rtprio 20" sudo=() answer
    [ -e "$file" ] && return
    echo
    echo "Real-time scheduling lets guard, camera and loop of a session run before all other programs. The rig works"
    echo "without it; but while other programs are busy, single rewards then come some milliseconds later. It takes the line"
    echo "    $line"
    echo "in $file. It holds for users of the group gpio, from their next login on."
    if [ ! -t 0 ]; then
        echo "To have it, run 'make setup' in a terminal, or write that file."
        return
    fi
    read -r -p "Write $file? [y/N] " answer
    [[ $answer == [yY]* ]] || return 0
    ((EUID)) && sudo=(sudo)
    printf '%s\n' "# CLoPy: real-time scheduling of guard, camera and loop" "$line" | "${sudo[@]}" tee "$file" >/dev/null
    getent group gpio >/dev/null || "${sudo[@]}" groupadd --system gpio
    [[ " $(id -nG) " == *" gpio "* ]] || "${sudo[@]}" usermod -aG gpio "$(id -un)"
    echo "Written. Log out and in again; then --check says whether it is in force."
}

for part in "${parts[@]}"; do
    if [[ $part == clnf ]]; then
        install .venv requirements-dev.txt
        touch .venv/ready
    elif [[ $part == clmf ]]; then
        install .venv-clmf requirements-clmf.txt requirements-dev.txt
        pip=(.venv-clmf/bin/python -m pip --quiet --disable-pip-version-check)
        # Two packages bring the module cv2; the one without windows came with deeplabcut-live, and must go.
        version=$(.venv-clmf/bin/python -c 'from importlib.metadata import version; print(version("opencv-python"))')
        "${pip[@]}" uninstall --yes opencv-python-headless opencv-python
        "${pip[@]}" install --no-deps "opencv-python==$version"
        if [[ $model == *Jetson* ]]; then   # RPi.GPIO of the Jetson, in place of that of the Raspberry Pi
            "${pip[@]}" uninstall --yes rpi-lgpio
            "${pip[@]}" install Jetson.GPIO
        fi
        touch .venv-clmf/ready
    else
        echo "$0: there is no part '$part'; known are clnf and clmf" >&2
        exit 2
    fi
done

if [[ $model == *"Raspberry Pi"* || $model == *Jetson* ]]; then
    offer_real_time
fi
