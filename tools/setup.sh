#!/usr/bin/env bash
# Installs what the rig needs: system packages (apt, with sudo where needed), and Python packages in environments.
# Harmless when repeated: what is there stays, and where nothing is missing, nothing is said.
#     tools/setup.sh [clnf] [onnx] [clmf] [tensorflow] [analysis] [genicam] [docs] [readers] [tests]
# Without a word: clnf; on a Jetson also clmf; where this is no rig also onnx, clmf if it was installed before, and analysis.
# clnf: CLNF, in .venv.  onnx: CLMF with a model in an .onnx file, in .venv, too.  clmf: CLMF with any model but a TensorFlow
# folder (DeepLabCut-Live, PyTorch), in .venv-clmf.  tensorflow: CLMF with such a folder, in .venv-tensorflow.
# analysis: what reports and exports need, in .venv and .venv-clmf if they are there.  docs: what makes the site of the documentation.
# genicam: what industrial cameras need, added to those of the three environments that are there, or made by the same call.
# readers: programs of others that read what analysis/export.py writes, in .venv-readers.
# tests: what only `make test` needs, for the parts named with it.
#     tools/setup.sh no-clmf            prints why DeepLabCut-Live cannot run here; nothing where it can
set -euo pipefail

PYTHON=${PYTHON:-python3}
VERSIONS="The rig runs on Python 3.10 to 3.13, DeepLabCut-Live on 3.10 to 3.12."
model=""   # of the computer, where it has one

on_pi() { [[ $model == *"Raspberry Pi"* ]]; }
on_jetson() { [[ $model == *Jetson* || -e /etc/nv_tegra_release ]]; }

# ---- which Python

serves() {   # PART PYTHON: whether this Python can run it
    local newest=99
    [[ $1 == clmf || $1 == tensorflow ]] && newest=12
    "$2" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null
}

python_of() {   # FOLDER PART: the Python of this environment, or the one that it will be made with
    if [[ -x $1/bin/python ]] && serves "$2" "$1/bin/python"; then echo "$1/bin/python"; else echo "$PYTHON"; fi
}

folder_of() {
    case $1 in
        clnf | onnx | analysis) echo .venv ;;
        *) echo ".venv-$1" ;;
    esac
}

why_not() {   # PART: why it cannot run here; nothing where it can, or where there is no Python yet
    local python cure=""
    if [[ $1 == clmf ]] && on_pi; then
        echo "DeepLabCut-Live is not installed on a Raspberry Pi."
        return
    fi
    python=$(python_of "$(folder_of "$1")" "$1")
    if ! command -v "$python" >/dev/null || serves "$1" "$python"; then return; fi
    if [[ $1 == clmf || $1 == tensorflow ]]; then
        cure="  A model in an .onnx file needs none of it (docs/models.md).  For others, install a Python 3.12 next to it"
        cure+=" (pyenv, uv or conda have one), then: PYTHON=python3.12 make setup-${1/clmf/dlclive}"
    fi
    echo "$VERSIONS  $python is $("$python" --version 2>&1).$cure"
}

check_python() {   # PART...: refuse what cannot run, before anything is downloaded
    local part reason
    for part in "$@"; do
        reason=$(why_not "$part")
        [[ -z $reason ]] || { echo "$reason" >&2; exit 1; }
    done
}

# ---- system packages

packages_for() {   # PART...: the system packages that they need, one a line
    local packages=(python3 python3-venv)
    if [[ $* == docs || $* == readers ]]; then
        printf '%s\n' "${packages[@]}"
        return
    fi
    packages+=(python3-dev gcc libc6-dev portaudio19-dev libgl1 libglib2.0-0)
    if [[ " $* " == *" genicam "* ]]; then
        packages+=(gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev pkg-config)
        if on_pi; then packages+=(python3-gi); fi
        if [[ " $* " == *" tests "* ]]; then packages+=(aravis-tools); fi   # simulated cameras
    fi
    packages+=(libasound2-plugins)   # the way to PipeWire or PulseAudio
    if on_pi; then packages+=(python3-picamera2 python3-rpi-lgpio python3-lgpio python3-pyaudio); fi
    if on_pi || on_jetson; then packages+=(i2c-tools); fi
    if [[ " $* " == *" tests "* ]]; then
        packages+=(git xvfb xdotool pulseaudio-utils)
        # A second sound server would push out the one that a rig plays on.  Without it the tests of sound are skipped.
        if ! installed | grep -xE 'pipewire-(pulse|alsa|audio)' >/dev/null; then packages+=(pulseaudio); fi
    fi
    printf '%s\n' "${packages[@]}"
}

installed() {   # the installed packages, one a line, also by their old names: libglib2.0-0t64 was libglib2.0-0
    dpkg-query --show --showformat='${db:Status-Status} ${Package}, ${Provides}\n' |
        sed -n 's/^installed //p' | sed -E 's/ *\([^)]*\)//g; s/, */\n/g'
}

install_packages() {   # PACKAGE...: those that are missing
    local missing sudo=()
    mapfile -t missing < <(printf '%s\n' "$@" | grep -vxF -f <(installed))
    ((${#missing[@]})) || return 0
    echo "Installing with apt: ${missing[*]}"
    ((EUID)) && sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# ---- Python packages

is_ready() {   # FOLDER MARK FILE...: whether all was installed after these files had changed
    local file
    [[ -x $1/bin/python && -e $1/$2 ]] || return 1
    for file in "${@:3}" tools/setup.sh; do
        if [[ $file -nt $1/$2 ]]; then return 1; fi
    done
}

make_venv() {   # FOLDER PART: unless it is there, made with a Python that can run the part
    local options=()
    if [[ -x $1/bin/python ]] && serves "$2" "$1/bin/python"; then return; fi
    on_pi && options=(--system-site-packages)   # its packages from apt exist only for the system's Python
    echo "Making $1 with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear "${options[@]}" "$1"
}

pip() { "$1/bin/python" -m pip --quiet --disable-pip-version-check "${@:2}"; }   # FOLDER ARGUMENT...

pip_install() {   # FOLDER FILE [ARGUMENT...]
    echo "Installing Python packages into $1: $2"
    pip "$1" install --use-pep517 -r "$2" "${@:3}"
}

has() { "$1/bin/python" -m pip show --quiet "$2" >/dev/null 2>&1; }   # FOLDER PACKAGE

jetson_pins() {   # FOLDER: RPi.GPIO of the Jetson.  That of the Raspberry Pi has a folder RPi, too: one deletes the other's.
    if has "$1" rpi-lgpio; then
        pip "$1" uninstall --yes rpi-lgpio
    elif has "$1" Jetson.GPIO && [[ -n $(compgen -G "$1/lib/python3*/site-packages/RPi/GPIO") ]]; then
        return
    fi
    pip "$1" install --force-reinstall --no-deps "Jetson.GPIO>=2.1.12"
}

cuda_torch() {   # FOLDER: "torch==VERSION" and that of torchvision if torch can use a GPU.  It is not imported: that may fail.
    "$1/bin/python" - <<'PYTHON'
import runpy
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

spec = find_spec("torch")
if spec and runpy.run_path(str(Path(spec.origin).with_name("version.py"))).get("cuda"):
    for name in ("torch", "torchvision"):
        try:
            print(f"{name}=={version(name)}")
        except PackageNotFoundError:
            pass
PYTHON
}

install_clnf() {
    if is_ready .venv ready requirements.txt; then return; fi
    make_venv .venv clnf
    pip_install .venv requirements.txt
    if on_jetson; then jetson_pins .venv; fi
    touch .venv/ready
}

install_onnx() {
    install_clnf
    if is_ready .venv ready-for-onnx requirements.txt requirements-onnx.txt; then return; fi
    pip_install .venv requirements-onnx.txt
    if on_jetson; then jetson_onnx .venv; fi
    touch .venv/ready-for-onnx
}

jetson_onnx() {   # FOLDER: unless NVIDIA's own build is there, which uses the GPU and brings the same module
    has "$1" onnxruntime-gpu || pip "$1" install "onnxruntime>=1.20,<2"
}

one_opencv() {   # FOLDER: two packages bring the module cv2; the one without windows came with deeplabcut-live, and must go
    local version
    version=$("$1/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')
    pip "$1" uninstall --yes opencv-python-headless opencv-python
    pip "$1" install --no-deps "opencv-python==$version"
}

install_clmf() {
    local torch=(-r requirements-torch.txt)
    if is_ready .venv-clmf ready requirements.txt requirements-onnx.txt requirements-clmf.txt requirements-torch.txt; then return; fi
    make_venv .venv-clmf clmf
    if on_jetson; then   # NVIDIA's torch stays as it is: PyPI's cannot use this GPU
        cuda_torch .venv-clmf >.venv-clmf/kept.txt
        if [[ -s .venv-clmf/kept.txt ]]; then torch=(-c .venv-clmf/kept.txt); fi
    fi
    pip_install .venv-clmf requirements-clmf.txt "${torch[@]}"
    one_opencv .venv-clmf
    if on_jetson; then
        jetson_pins .venv-clmf
        jetson_onnx .venv-clmf
        [[ -s .venv-clmf/kept.txt ]] || echo "torch cannot use the GPU yet: docs/jetson.md, step 1"
    fi
    touch .venv-clmf/ready
}

install_tensorflow() {
    if is_ready .venv-tensorflow ready requirements.txt requirements-onnx.txt requirements-tensorflow.txt; then return; fi
    make_venv .venv-tensorflow tensorflow
    pip_install .venv-tensorflow requirements-tensorflow.txt
    one_opencv .venv-tensorflow
    if on_jetson; then jetson_pins .venv-tensorflow; fi
    touch .venv-tensorflow/ready
}

install_genicam() {
    local folder found=""
    for folder in .venv .venv-clmf .venv-tensorflow; do
        [[ -x $folder/bin/python ]] || continue
        found=yes
        if is_ready "$folder" ready-for-genicam requirements-genicam.txt; then continue; fi
        pip_install "$folder" requirements-genicam.txt
        touch "$folder/ready-for-genicam"
    done
    [[ -n $found ]] || { echo "There is no .venv yet; run 'make setup' first" >&2; exit 1; }
}

install_docs() {
    if is_ready .venv-docs ready requirements-docs.txt; then return; fi
    make_venv .venv-docs docs
    pip_install .venv-docs requirements-docs.txt
    touch .venv-docs/ready
}

install_readers() {
    if is_ready .venv-readers ready requirements-readers.txt; then return; fi
    make_venv .venv-readers readers
    pip_install .venv-readers requirements-readers.txt
    touch .venv-readers/ready
}

install_analysis() {   # into each environment that there is: a session makes its report with its own Python
    local folder
    install_clnf
    for folder in .venv .venv-clmf; do
        [[ -e $folder/ready ]] || continue
        if is_ready "$folder" ready-for-analysis requirements.txt requirements-analysis.txt; then continue; fi
        pip_install "$folder" requirements-analysis.txt
        touch "$folder/ready-for-analysis"
    done
}

install_tests() {   # FOLDER
    if is_ready "$1" ready-for-tests requirements.txt requirements-dev.txt requirements-genicam.txt; then return; fi
    pip_install "$1" requirements-dev.txt
    touch "$1/ready-for-tests"
}

# ---- scheduling

offer_real_time() {   # of scheduling: what rig/devices/realtime.py asks for
    local file=/etc/security/limits.d/clopy.conf line="@gpio - rtprio 20" sudo=() answer
    if [[ -e $file ]]; then return; fi
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

# ---- all of it

default_parts() {
    echo clnf
    if on_pi; then return; fi
    if on_jetson; then
        echo clmf
        return
    fi
    echo onnx
    if [[ -e .venv-clmf/ready ]]; then echo clmf; fi
    echo analysis
}

main() {
    local part parts=() tests=""
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    model=$(tr -d '\0' 2>/dev/null </proc/device-tree/model || true)
    if on_pi; then PYTHON=/usr/bin/python3; fi
    for part in "$@"; do
        case $part in
            no-clmf) why_not clmf; return ;;
            tests) tests=tests ;;
            clnf | onnx | clmf | tensorflow | analysis | genicam | docs | readers) parts+=("$part") ;;
            *)
                echo "$0: there is no part '$part'; known are clnf, onnx, clmf, tensorflow, analysis, genicam, docs, readers and tests" >&2
                exit 2
                ;;
        esac
    done
    if ((${#parts[@]} == 0)); then mapfile -t parts < <(default_parts); fi
    check_python "${parts[@]}"
    mapfile -t packages < <(packages_for "${parts[@]}" $tests)
    install_packages "${packages[@]}"
    check_python "${parts[@]}"   # again, where there was no Python before
    for part in "${parts[@]}"; do
        "install_$part"
        if [[ -n $tests && $part != genicam && $part != onnx ]]; then install_tests "$(folder_of "$part")"; fi
    done
    if on_pi || on_jetson; then offer_real_time; fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
