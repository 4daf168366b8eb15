# What the set-up scripts share. Sourced, never run: it leaves the shell in the root of the
# repository, with everything that the scripts fetch or build below `target/`.

set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$ROOT"

# The version that the demo and most tests run on.
ENVOY_VERSION=1.40.0

# Where tests, demo and benchmark look; each can be set from outside.
: "${TRACEGATE_ENVOY_DIR:=$ROOT/target/envoy}"
export PIP_ROOT_USER_ACTION=ignore
export TRACEGATE_ENVOY_DIR

DEBIAN_TOOLCHAIN=$ROOT/target/toolchain/debian

say() {
    printf '%s\n' "tracegate: $*" >&2
}

die() {
    say "$*"
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}
