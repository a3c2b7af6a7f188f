#!/usr/bin/env bash
# Builds what tests/test_picamera2.py runs on, a camera without hardware: libcamera with its virtual pipeline, by the
# script next to this repository, and an environment with the real picamera2 and all that the rig needs.
# Harmless when repeated: what is there stays.  Takes some minutes the first time.
#     [LIBCAMERA_VIRTUAL=FOLDER] tools/virtual_camera.sh        without a folder: ~/libcamera-virtual
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}   # libcamera's bindings are built for this one, so it must also run the environment
folder=$(realpath -m "${LIBCAMERA_VIRTUAL:-$HOME/libcamera-virtual}")
build=../shared/tools/libcamera_virtual/build.sh

if [ ! -e "$folder/lib/dmabuf_shim.so" ]; then   # the last thing that is built
    if [ ! -e "$build" ]; then
        echo "There is no virtual camera in $folder, and $build, which builds it, is absent." >&2
        exit 1
    fi
    packages=(build-essential dpkg-dev ca-certificates libyaml-dev libgnutls28-dev libudev-dev libyuv-dev libjpeg-dev
              libcap-dev pkg-config openssl)
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
    echo "Building libcamera in $folder; what it says goes to $folder.log"
    PREFIX=$folder WORK=$folder.build PY=$PYTHON nice -n 10 bash "$build" >"$folder.log" 2>&1 || {
        tail -n 20 "$folder.log" >&2
        echo "libcamera could not be built; $folder.log says why." >&2
        exit 1
    }
    rm -rf "$folder.build"
fi

if [ ! "$folder/venv/ready" -nt requirements.txt ]; then
    echo "Installing picamera2 and what the rig needs into $folder/venv"
    "$PYTHON" -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 -r requirements.txt "picamera2>=0.3.31,<0.4"
    touch "$folder/venv/ready"
fi
echo "The virtual camera is in $folder"
