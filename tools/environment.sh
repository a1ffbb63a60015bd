# Read by ./demo and ./check: finds a Python, keeps an environment in .venv.
# Wants $top, the folder of the checkout. Gives the function `environment`.

say() {
    printf '%s\n' "$*" >&2
}

fits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# The first Python that is new enough; the system's own before others.
findPython() {
    for python in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        if fits "$python"; then
            command -v "$python"
            return 0
        fi
    done
    return 1
}

canInstall() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}

aptInstall() {
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >&2 && apt-get -qq install -y --no-install-recommends "$@" >&2
}

# environment NAME REQUIREMENT..: .venv with what pip makes of the requirements.
# It is made anew when its Python is gone, and filled again when pyproject.toml
# has changed.
environment() {
    name=$1
    shift
    venv=$top/.venv
    stamp=$venv/.txlb-$name
    # Programs in there name the folder that they were installed in.
    if [ "$(cat "$venv/.txlb-home" 2>/dev/null)" != "$top" ]; then
        rm -f "$venv"/.txlb-*
    fi
    state=$(cksum <"$top/pyproject.toml")
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] &&
        fits "$venv/bin/python"; then
        return 0
    fi
    if ! python=$(findPython); then
        if canInstall; then
            aptInstall python3 python3-venv
            python=$(findPython) || {
                say "this system's python3 is too old: txlb needs Python 3.11 or later"
                return 1
            }
        else
            say "txlb needs Python 3.11 or later, and there is none here; as root:"
            say "    apt-get install python3 python3-venv"
            return 1
        fi
    fi
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        if canInstall; then
            aptInstall python3-venv
        else
            say "$python can't make virtual environments; as root:"
            say "    apt-get install python3-venv"
            return 1
        fi
    fi
    if [ ! -f "$venv/.txlb-home" ] || ! fits "$venv/bin/python"; then
        # Tools leave a file or a link of this name, where they keep theirs elsewhere.
        [ -d "$venv" ] && [ ! -L "$venv" ] || rm -f "$venv"
        say "making an environment in .venv with $("$python" --version)"
        "$python" -m venv --clear "$venv" || return 1
        printf '%s\n' "$top" >"$venv/.txlb-home"
    fi
    say "installing what txlb needs into .venv; the first time takes a minute"
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check install "$@" || return 1
    printf '%s\n' "$state" >"$stamp"
}
