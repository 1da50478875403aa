#!/usr/bin/env bash
# Checks deploy/ and .github/ with the tools that exist for each file. What cannot be checked here, because a tool is missing,
# is said at the end; it is a failure if ROLLCALL_TEST_REQUIRE names deploy.
#
# Takes from Debian's prometheus, prometheus-blackbox-exporter, caddy and systemd what is there; installs the rest, with Go and
# pip, below .tools/deploy. Needs bin/rollcall, which `make deploy-check` builds.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
tools=$PWD/.tools/deploy
bin=$tools/venv/bin
# The databases of a few seconds need no disk, which may be slow and shared.
if [ -d /dev/shm ] && [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$tools"

# The newest kustomize that builds with Go 1.26.
KUSTOMIZE=v5.8.2
ACTIONLINT=v1.7.12
# The oldest and the newest Kubernetes that docs/deployment.md promises.
KUBERNETES=(1.30 1.37)

failed=()
missing=()

# check WHAT COMMAND...: runs it, and shows its output if it fails or has something to say.
check() {
  local what=$1 start=$SECONDS
  shift
  if "$@" >"$work/out" 2>&1; then
    printf 'ok    %s (%ds)\n' "$what" $((SECONDS - start))
    grep -E '^(dashboard|3 targets|SCIM passes|[0-9]+ cases)' "$work/out" | sed 's/^/        /'
  else
    printf 'FAIL  %s\n' "$what"
    sed 's/^/        /' "$work/out"
    failed+=("$what")
  fi
}

# have PROGRAM WHAT: whether a program is there; if not, WHAT is not checked.
have() {
  command -v "$1" >/dev/null && return 0
  missing+=("$2 ($1 is missing)")
  return 1
}

install_python() {
  cmp -s scripts/deploy-requirements.txt "$tools/installed.txt" && return 0
  rm -rf "$tools/venv" "$tools/installed.txt"
  python3 -m venv "$tools/venv" &&
    "$bin/pip" install --quiet --disable-pip-version-check -r scripts/deploy-requirements.txt &&
    cp scripts/deploy-requirements.txt "$tools/installed.txt"
}

# install_go PACKAGE@VERSION: NAME-VERSION in $tools.
install_go() {
  local package=${1%@*} version=${1#*@} name
  name=$(basename "${package%/v[0-9]}")
  [ -x "$tools/$name-$version" ] && return 0
  GOBIN=$tools go install "$1" && mv "$tools/$name" "$tools/$name-$version"
}

echo "install tools"
install_python || missing+=("Dockerfile, compose, shell scripts, Kubernetes schemas (pip could not install)")
install_go "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE" || missing+=("Kubernetes (kustomize could not be built)")
install_go "github.com/rhysd/actionlint/cmd/actionlint@$ACTIONLINT" || missing+=("workflows (actionlint could not be built)")
(cd deploy/check && go build -o "$tools/check" .) || missing+=("dashboard, manifests (deploy/check could not be built)")
PATH=$bin:$PATH

# --- image and compose
compose() {
  "$bin/docker-compose" -f deploy/compose.yaml config --format json >"$work/compose.json" || return
  # With what mail.yaml demands, and no more.
  local v given=()
  for v in ROLLCALL_SMTP_HOST=smtp.example.com ROLLCALL_SMTP_USERNAME=rollcall ROLLCALL_MAIL_FROM=a@example.com \
    ROLLCALL_MAIL_PUBLIC_URL=https://id.example.com; do
    ! grep -qF "\${${v%%=*}:?" deploy/compose/mail.yaml || given+=("$v")
  done
  env "${given[@]}" "$bin/docker-compose" -f deploy/compose.yaml -f deploy/compose/mail.yaml config --format json >"$work/mail.json" || return
  python3 - "$work/compose.json" "$work/mail.json" <<'END' || return
import json, sys

plain, mail = (json.load(open(f)) for f in sys.argv[1:])
for name in ("rollcall-1", "rollcall-2"):
    a, b = plain["services"][name], mail["services"][name]
    lost = [k for k in a["environment"] if b["environment"].get(k) != a["environment"][k]]
    if lost or not b["environment"].get("ROLLCALL_SMTP_HOST") or len(b["secrets"]) != len(a["secrets"]) + 1:
        sys.exit(f"compose/mail.yaml does not add to {name}: {lost}")
END
  # A server takes what comes of it; the files of secrets are not here.
  echo secret >"$work/password"
  mapfile -t given < <(python3 -c 'import json, sys
for k, v in json.load(sys.stdin)["services"]["rollcall-1"]["environment"].items():
    if not k.endswith("_FILE"):
        print(f"{k}={v}")' <"$work/mail.json")
  env -i "${given[@]}" ROLLCALL_SMTP_PASSWORD_FILE="$work/password" bin/rollcall config >/dev/null || return
  python3 - "$work/compose.json" <<'END'
import json, pathlib, sys

c = json.load(open(sys.argv[1]))
bad = []
for kind in ("configs",):
    bad += [f"{kind} {n}: no file {v['file']}" for n, v in c[kind].items() if not pathlib.Path(v["file"]).is_file()]
for name, s in c["services"].items():
    for v in s.get("volumes", []):
        if v["type"] == "bind" and not pathlib.Path(v["source"]).exists():
            bad.append(f"{name}: no {v['source']}")
    if not s.get("read_only") or s.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in s.get("security_opt", []):
        bad.append(f"{name} is not confined")
    for p in s.get("ports", []):
        if name != "proxy" and p.get("host_ip") != "127.0.0.1":
            bad.append(f"{name} is reachable from outside")
sys.exit("\n".join(bad) or None)
END
}

# Twice: the second time nothing may change, and only the owner can read anything.
secrets() {
  mkdir -p "$work/s" && cp deploy/compose/secrets.sh "$work/s/" && "$work/s/secrets.sh" || return
  (cd "$work/s/secrets" && sha256sum ./*) >"$work/before"
  "$work/s/secrets.sh" && (cd "$work/s/secrets" && sha256sum ./*) | cmp - "$work/before" || return
  [ "$(stat -c %a "$work/s/secrets")" = 700 ] || { echo "the directory is open to others"; return 1; }
  local name
  for name in $("$bin/docker-compose" -f deploy/compose.yaml config --format json |
    python3 -c 'import json, sys, os; print(*(os.path.basename(s["file"]) for s in json.load(sys.stdin)["secrets"].values()))'); do
    [ -s "$work/s/secrets/$name" ] || { echo "compose.yaml wants $name, which secrets.sh does not make"; return 1; }
  done
}

if [ -x "$bin/hadolint" ]; then
  check "Dockerfile: hadolint" "$bin/hadolint" deploy/Dockerfile
  check "compose.yaml: docker compose config; files, confinement, ports" compose
  check "compose/secrets.sh: makes each secret once" secrets
  mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
  check "shell scripts: shellcheck" "$bin/shellcheck" --severity=warning "${scripts[@]}"
fi
have node "syntax of compose/mongo-init.js" && check "compose/mongo-init.js: syntax" node --check deploy/compose/mongo-init.js

# --- every setting that is set exists
settings() {
  local bad=0 name out
  # Of compose.yaml only what the Rollcalls get: the other variables are its own and Caddy's.
  for name in $({
    cat deploy/Dockerfile
    grep -rh . deploy/kubernetes --include='*.yaml'
    sed -n '/^x-rollcall:/,/^x-mongo:/p' deploy/compose.yaml | grep -oE '^ +ROLLCALL_[A-Z_]+:'
  } | grep -oE '\bROLLCALL_[A-Z_]+\b' | sort -u); do
    out=$(env -i "$name=" bin/rollcall config 2>&1)
    case $out in *"$name: no such setting"*) echo "$name: no such setting" && bad=1 ;; esac
  done
  for name in $(grep -oE '^ +ROLLCALL_[A-Z_]+:' deploy/compose/mail.yaml | tr -d ' :'); do
    out=$(env -i "$name=" bin/rollcall config 2>&1)
    case $out in *"$name: no such setting"*) echo "$name: no such setting" && bad=1 ;; esac
  done
  # Also with what is only suggested there; the file of the password is not here.
  sed -E 's/^#([a-z])/\1/; s#/etc/rollcall/smtp-password#deploy/systemd/rollcall.yaml#' deploy/systemd/rollcall.yaml >"$work/suggested.yaml"
  [ -n "$name" ] && bin/rollcall config --config deploy/systemd/rollcall.yaml >/dev/null &&
    bin/rollcall config --config "$work/suggested.yaml" >/dev/null && [ $bad = 0 ]
}
# The settings of compose and of the example as a server reads them: empty ones, too, must be right.
values() {
  env -i ROLLCALL_OIDC_ISSUER= ROLLCALL_OIDC_AUDIENCE= ROLLCALL_OPERATOR_API=ops-listen bin/rollcall config >/dev/null || return
  mapfile -t example < <(sed -nE 's/^ +- (ROLLCALL_[A-Z_]+=.*)/\1/p' deploy/kubernetes/example/kustomization.yaml)
  [ ${#example[@]} -gt 4 ] && env -i "${example[@]}" ROLLCALL_SMTP_PASSWORD=x bin/rollcall config >/dev/null
}
check "settings: each that is set exists" settings
check "settings: those of compose and of the example are valid" values

# --- Kubernetes
if [ -x "$tools/kustomize-$KUSTOMIZE" ]; then
  manifests=()
  for d in mongodb embedded example; do
    check "kubernetes/$d: kustomize build" "$tools/kustomize-$KUSTOMIZE" build -o "$work/$d.yaml" "deploy/kubernetes/$d"
    manifests+=("$work/$d.yaml")
  done
  for v in "${KUBERNETES[@]}"; do
    [ ! -x "$bin/kubernetes-validate" ] ||
      check "kubernetes: schemas of $v" "$bin/kubernetes-validate" -k "$v" --strict --quiet --no-warn "${manifests[@]}"
  done
  [ ! -x "$tools/check" ] || check "kubernetes: types, selectors, Pod Security Standard restricted, probes, ports" "$tools/check" manifests "${manifests[@]}"
fi

# --- Prometheus and Grafana
alerts() {
  scripts/alert-tests.py deploy/prometheus/rules/rollcall.yaml >"$work/alerts.json" && promtool test rules "$work/alerts.json"
}
if have promtool "Prometheus configuration, rules and tests of alerts"; then
  check "prometheus.yml: promtool check config" promtool check config --syntax-only deploy/prometheus/prometheus.yml
  check "alerts: promtool check rules" promtool check rules --lint-fatal deploy/prometheus/rules/rollcall.yaml
  check "alerts: promtool test rules" alerts
fi
have prometheus-blackbox-exporter "blackbox.yml" &&
  check "blackbox.yml" prometheus-blackbox-exporter --config.check --config.file deploy/prometheus/blackbox.yml
[ ! -x "$tools/check" ] || check "dashboard: Grafana's types" "$tools/check" dashboard deploy/grafana/dashboards/rollcall.json
if have prometheus "dashboard and alerts against a running server" && command -v prometheus-blackbox-exporter >/dev/null; then
  check "dashboard and alerts against a running server" scripts/deploy-live.py prometheus
fi

# --- proxy
caddyfile() {
  (cd deploy/compose && XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work caddy validate --config Caddyfile --adapter caddyfile) &&
    caddy fmt deploy/compose/Caddyfile | diff - deploy/compose/Caddyfile
}
if have caddy "Caddyfile"; then
  check "Caddyfile: caddy validate, caddy fmt" caddyfile
  check "Caddyfile with two running servers" scripts/deploy-live.py proxy
fi

# --- systemd
unit() {
  sed "s#/usr/local/bin/rollcall#$PWD/bin/rollcall#" deploy/systemd/rollcall.service >"$work/rollcall.service"
  # It says what it does not like and may yet succeed.
  SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$work/rollcall.service" 2>"$work/verify" &&
    { ! grep "rollcall.service" "$work/verify"; } &&
    systemd-analyze security --offline=true --threshold=15 --no-pager "$work/rollcall.service"
}
if have systemd-analyze "rollcall.service"; then
  check "rollcall.service: systemd-analyze verify, exposure at most 1.5" unit
  check "rollcall.sysusers.conf" systemd-sysusers --dry-run "$PWD/deploy/systemd/rollcall.sysusers.conf"
fi

# --- workflows
[ ! -x "$tools/actionlint-$ACTIONLINT" ] || check "workflows: actionlint" "$tools/actionlint-$ACTIONLINT" -color=false

# --- what only a container engine can show
# The image as docs/deployment.md runs it, with a database in memory.
image() {
  docker build -q -f deploy/Dockerfile -t rollcall:deploy-check --build-arg VERSION=v0.0.0-check . || return
  container=$(docker run -d --read-only --cap-drop ALL --security-opt no-new-privileges \
    --tmpfs /data:uid=65532,gid=65532,mode=0700 rollcall:deploy-check) || return
  local ready=1
  for _ in $(seq 50); do
    if docker exec "$container" /rollcall healthcheck; then ready=0 && break; fi
    sleep 0.2
  done
  docker exec "$container" /rollcall version | grep v0.0.0-check || ready=1
  [ $ready = 0 ] || docker logs "$container"
  docker rm -f -v "$container" >/dev/null
  return $ready
}
if docker info >/dev/null 2>&1; then
  check "image: docker build; read-only, without capabilities, healthy" image
else
  missing+=("that the image builds and runs (no container engine)")
fi

echo
for m in "${missing[@]}"; do echo "NOT CHECKED: $m"; done
echo "NOT CHECKED: that compose.yaml starts (scripts/compose-smoke.sh does), that Grafana shows the dashboard, that a cluster takes the manifests, that systemd starts the unit"
if [ ${#failed[@]} -gt 0 ]; then
  echo "deploy-check: ${#failed[@]} failed"
  exit 1
fi
if [[ ,${ROLLCALL_TEST_REQUIRE:-}, == *,deploy,* && ${#missing[@]} -gt 0 ]]; then
  echo "deploy-check: something was not checked, and ROLLCALL_TEST_REQUIRE names deploy"
  exit 1
fi
