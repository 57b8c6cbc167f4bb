# Sourced by the commands beside it.
# need_environment EXTRAS - makes sure that .venv in this checkout has tf1ref with EXTRAS; quick when it has.

need_environment() {
    local extras="$1" python="${PYTHON:-python3}" installed=.venv/tf1ref-installed
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "tf1ref needs Python 3.10 or newer as python3; or name one: PYTHON=/path/to/python $0" >&2
        exit 2
    fi
    # The stamps hold the path: the programs of a .venv that was moved point nowhere.
    local here stamp
    here="$PWD $(cksum < setup.cfg)"
    stamp="$here $extras"
    if grep -qxF "$stamp" "$installed" 2>/dev/null; then return; fi
    if ! grep -qF "$here" "$installed" 2>/dev/null; then
        echo "Setting up .venv; the packages take some minutes the first time ..." >&2
        if ! "$python" -m venv --clear .venv; then
            echo "python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2
            exit 2
        fi
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
    echo "$stamp" >> "$installed"
}
