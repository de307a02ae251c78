# Shared by the scripts: virtual environments made once and again when what they hold changes, retries, timed steps.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# retry COMMAND...: three tries, as a registry may be busy for a moment.
retry() {
    local try
    for try in 1 2 3; do
        "$@" && return 0
        echo "try $try of 3 failed: $*" >&2
        sleep $((try * 5))
    done
    return 1
}

# use_venv NAME GROUP...: makes .venv-NAME with cryograph (editable) and these dependency groups, and sets $python to its
# interpreter. With VENV set, that environment is used as it is. PYTHON chooses the interpreter that it is made with.
use_venv() {
    local name=$1
    shift
    if [[ -n ${VENV:-} ]]; then
        python=$VENV/bin/python
        return
    fi
    local venv=.venv-$name base=${PYTHON:-python3} stamp group
    stamp="$("$base" -c 'import hashlib, sys; print(sys.version, hashlib.sha256(open("pyproject.toml", "rb").read()).hexdigest())') $*"
    python=$PWD/$venv/bin/python
    if [[ ! -f $venv/stamp || $(<"$venv/stamp") != "$stamp" ]]; then
        rm -rf "$venv"
        "$base" -m venv "$venv" || return 1
        retry "$python" -m pip install -q --upgrade "pip>=25.1" || return 1
        local groups=()
        for group in "$@"; do
            groups+=(--group "$group")
        done
        retry "$python" -m pip install -q -e . "${groups[@]}" || return 1
        echo "$stamp" >"$venv/stamp"
    fi
}

# step NAME COMMAND...: runs it, says how long it took, ends the script when it fails. Bash ignores `set -e` inside a
# function that is tested, so the functions here return at their first error themselves.
step() {
    local name=$1 start=$SECONDS
    shift
    echo "=== $name"
    if ! "$@"; then
        echo "=== $name: failed after $((SECONDS - start)) s"
        exit 1
    fi
    echo "=== $name: $((SECONDS - start)) s"
}

# generators ORACLE: the programs in tools/ that tell of --check; with `yes` those that need TensorFlow, with `no` the others.
generators() {
    local tool needs
    for tool in tools/*.py; do
        grep -qE '^ *python tools/[a-z_]+\.py.* --check' "$tool" || continue
        needs=no
        if grep -qE '^ *(import|from) (tensorflow|tf_keras)' "$tool"; then needs=yes; fi
        if [[ $needs == "$1" ]]; then echo "$tool"; fi
    done
}

# check_generated ORACLE: fails when a generated file is not what its generator makes now.
check_generated() {
    local tool
    for tool in $(generators "$1"); do
        "$python" "$tool" --check || return 1
    done
}
