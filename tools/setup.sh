#!/usr/bin/env bash
# Installs what the rig needs: system packages (apt, with sudo where needed), .venv, requirements.
# Harmless when repeated: what is there stays.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

packages=(python3 python3-venv python3-dev gcc libc6-dev portaudio19-dev libgl1 libglib2.0-0)   # the rig
packages+=(git xvfb xdotool pulseaudio pulseaudio-utils libasound2-plugins)                      # its tests
venv_options=()
if grep -qs "Raspberry Pi" /proc/device-tree/model; then
    packages+=(python3-picamera2 python3-rpi-lgpio python3-lgpio python3-pyaudio)
    venv_options=(--system-site-packages)   # these four exist for the system's Python alone
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

if [ ! -x .venv/bin/python ]; then
    echo "Making .venv with $("$PYTHON" --version)"
    "$PYTHON" -m venv "${venv_options[@]}" .venv
fi
echo "Installing Python packages: requirements-dev.txt"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements-dev.txt
touch .venv/ready
