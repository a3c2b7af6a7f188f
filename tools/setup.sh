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
