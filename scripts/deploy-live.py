#!/usr/bin/env python3
"""Runs Rollcall with the Prometheus and Caddy configuration of deploy/, sends it traffic, and looks whether they fit.

Prometheus: its targets are up, its rules are evaluated and silent, each expression of the dashboard parses and has data, and
a process that stops is noticed. Caddy: it passes SCIM, the companion API without its operators' part, and nothing else, does not pass on what a client says in X-Forwarded
headers, and goes on with one process when the other is gone.

    scripts/deploy-live.py prometheus|proxy

Everything listens on 127.0.0.1; only what was started here is ended.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = TOP / "deploy"
TOKEN = "rc_" + "deploy-check-" * 3
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

# What a server that has just been started, is well, and has the embedded store, has nothing to show for.
NO_DATA = re.compile(r"rollcall_store_command|rollcall_mails_total|^ALERTS|^changes\(")


def fail(text):
    raise SystemExit(f"deploy-live: {text}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(url, method="GET", body=None, headers=None):
    """Returns status and body; 0 if there was no answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except OSError as e:
        return 0, str(e).encode()


def await_(what, f, seconds=60):
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        last = f()
        if last is True:
            return
        time.sleep(0.2)
    fail(f"{what}: not within {seconds} s: {last}")


class Process:
    """A program that is ended with the check. Its output is kept for the case that something fails."""

    def __init__(self, work, name, *command, env=None):
        self.log = work / f"{name}.log"
        with open(self.log, "wb") as log:
            self.p = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=work)

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(15)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()


class Rollcall(Process):
    def __init__(self, work, name, *flags):
        self.name = name
        addresses = work / f"{name}.addr"
        # A memory limit, so that there is one to show.
        env = {"ROLLCALL_BOOTSTRAP_TOKEN": TOKEN, "GOMEMLIMIT": "1GiB", "HOME": str(work)}
        super().__init__(
            work, name, str(TOP / "bin/rollcall"), "serve", "--data", str(work / name), "--listen", "127.0.0.1:0",
            "--ops-listen", "127.0.0.1:0", "--addr-file", str(addresses), *flags, env=env,
        )  # fmt: skip
        await_(f"start {name}", lambda: addresses.exists() or self.p.poll() or "no address yet")
        found = dict(line.split("=") for line in addresses.read_text().split())
        self.address, self.ops = found["listen"], found["ops-listen"]

    def operator(self, work):
        """A token for what operators do."""
        out = subprocess.run([str(TOP / "bin/rollcall"), "token", "create", "--data", str(work / self.name), "--org", "default",
                              "--name", "operator", "--scope", "operator", "--json"], capture_output=True, check=True)  # fmt: skip
        return json.loads(out.stdout)["token"]

    def scim(self, path, method="GET", body=None, token=TOKEN):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        return ask(f"http://{self.address}/scim/v2{path}", method, body, headers)


def traffic(server, n):
    """One round of what clients do, mistakes included."""
    name = f"person{n}@example.com"
    status, text = server.scim("/Users", "POST", {"schemas": [USER], "userName": name})
    if status != 201:
        fail(f"create: {status} {text[:200]}")
    person = "/Users/" + json.loads(text)["id"]
    server.scim("/Users", "POST", {"schemas": [USER], "userName": name})  # 409
    server.scim(person)
    server.scim("/Users?" + urllib.parse.urlencode({"filter": f'userName eq "{name}"'}))
    # Entra's spelling, which needs a relaxation.
    patch = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    server.scim(person, "PATCH", patch)
    operation = {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"schemas": [USER], "userName": "bulk" + name}}
    server.scim("/Bulk", "POST", {"schemas": [BULK], "Operations": [operation]})
    server.scim(person, token="rc_nobody" + "x" * 30)  # 401
    server.scim("/Me")  # 501
    for path in ("me", "nothing"):
        ask(f"http://{server.address}/api/v1/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    server.scim(person, "DELETE")


def substituted(expr):
    """An expression of the dashboard with its variables as Grafana would fill them in."""
    for name, value in {"$__rate_interval": "15s", "$job": "rollcall", "$instance": ".*", "$organization": ".*"}.items():
        expr = expr.replace(name, value)
    if "$" in expr:
        fail(f"a variable that is not known: {expr}")
    return expr


def expressions():
    dashboard = json.loads((DEPLOY / "grafana/dashboards/rollcall.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], substituted(target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], substituted(annotation["expr"])


def configuration(work, server, blackbox):
    """prometheus.yml with this machine's addresses, and fast."""
    text = (DEPLOY / "prometheus/prometheus.yml").read_text()
    port = free_port()
    for old, new in {
        '"rollcall-1:9464", "rollcall-2:9464"': f'"{server.ops}"',
        '"rollcall-1:8080", "rollcall-2:8080"': f'"{server.address}"',
        "blackbox:9115": blackbox,
        "localhost:9090": f"127.0.0.1:{port}",
        "_interval: 15s": "_interval: 1s",
        "rules/*.yaml": f"{DEPLOY}/prometheus/rules/*.yaml",
    }.items():
        if old not in text:
            fail(f"prometheus.yml has no {old}")
        text = text.replace(old, new)
    (work / "prometheus.yml").write_text(text)
    return port


def check_prometheus(work, started):
    server = Rollcall(work, "rollcall")
    started.append(server)
    blackbox = f"127.0.0.1:{free_port()}"
    started.append(
        Process(work, "blackbox", "prometheus-blackbox-exporter", f"--config.file={DEPLOY}/prometheus/blackbox.yml",
                f"--web.listen-address={blackbox}")
    )  # fmt: skip
    port = configuration(work, server, blackbox)
    started.append(
        Process(work, "prometheus", "prometheus", f"--config.file={work}/prometheus.yml", f"--storage.tsdb.path={work}/tsdb",
                f"--web.listen-address=127.0.0.1:{port}")
    )  # fmt: skip

    def api(path, **query):
        status, text = ask(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}")
        answer = json.loads(text) if text.startswith(b"{") else {"error": text.decode()}
        return answer.get("data"), answer.get("error") or (None if status == 200 else status)

    done = threading.Event()
    broken = []

    def work_on():
        n = 0
        while not done.is_set():
            try:
                traffic(server, n)
            except SystemExit as e:
                broken.append(str(e))
                return
            n += 1
            done.wait(0.1)

    client = threading.Thread(target=work_on)
    client.start()
    try:
        def targets_up():
            targets = (api("targets")[0] or {}).get("activeTargets", [])
            down = [(t["labels"]["job"], t["lastError"]) for t in targets if t["health"] != "up"]
            return len(targets) == 3 and not down or (len(targets), down)

        await_("targets are up", targets_up)

        def rules_well():
            groups = (api("rules")[0] or {}).get("groups", [])
            rules = [r for g in groups for r in g["rules"]]
            bad = [(r["name"], r["health"], r["state"]) for r in rules if r["health"] != "ok" or r["state"] == "firing"]
            return len(rules) > 0 and not bad or bad or "no rules"

        await_("rules are evaluated and silent", rules_well)
        alerts = len([r for g in api("rules")[0]["groups"] for r in g["rules"]])

        every = list(expressions())

        def empty():
            out = []
            for where, expr in every:
                data, error = api("query", query=expr)
                if error:
                    fail(f"{where}: {error}\n{expr}")
                if not data["result"] and not NO_DATA.search(expr):
                    out.append(f"{where}: {expr}")
            return out

        await_("expressions of the dashboard have data", lambda: (lambda e: not e or e)(empty()))
    finally:
        done.set()
        client.join()
    if broken:
        fail(broken[0])

    server.stop()

    def noticed():
        alerts = (api("alerts")[0] or {}).get("alerts", [])
        pending = {a["labels"]["alertname"] for a in alerts}
        return {"RollcallDown", "RollcallNotReady"} <= pending or pending

    await_("a process that stopped is noticed", noticed)
    silent = sum(1 for _, e in every if NO_DATA.search(e))
    print(f"3 targets up, {alerts} alerts evaluated, {len(every)} expressions parsed, all but {silent} had to have "
          "data (MongoDB's commands, mails, alerts, restarts); a stopped process was noticed")  # fmt: skip


def check_proxy(work, started):
    servers = [Rollcall(work, f"rollcall-{i}", "--trusted-proxies", "127.0.0.1", "--operator-api", "ops-listen") for i in (1, 2)]
    started.extend(servers)
    port = free_port()
    text = (DEPLOY / "compose/Caddyfile").read_text()
    for old, new in {
        "rollcall-1:8080 rollcall-2:8080": " ".join(s.address for s in servers),
        "http://127.0.0.1:8081": f"http://127.0.0.1:{free_port()}",
    }.items():
        if old not in text:
            fail(f"the Caddyfile has no {old}")
        text = text.replace(old, new)
    (work / "Caddyfile").write_text(text)
    env = {
        "ROLLCALL_SITE": f"http://127.0.0.1:{port}", "HOME": str(work), "XDG_DATA_HOME": str(work), "XDG_CONFIG_HOME": str(work),
        "PATH": "/usr/bin:/bin:/usr/local/bin",
    }  # fmt: skip
    started.append(Process(work, "caddy", "caddy", "run", "--config", f"{work}/Caddyfile", "--adapter", "caddyfile", env=env))
    site = f"http://127.0.0.1:{port}"
    auth = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
    await_("the proxy answers", lambda: (lambda s: s == 200 or s)(ask(f"{site}/scim/v2/Users", headers=auth)[0]))

    status, text = ask(f"{site}/scim/v2/Users", "POST", {"schemas": [USER], "userName": "ada@example.com"},
                       auth | {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})  # fmt: skip
    location = json.loads(text)["meta"]["location"]
    if status != 201 or not location.startswith(f"{site}/scim/v2/Users/"):
        fail(f"a user was made at {location}, {status}: a client's X-Forwarded headers must not count")
    operator = {"Authorization": f"Bearer {servers[0].operator(work)}"}
    direct = f"http://{servers[0].ops}/api/v1/operator/organizations"
    if (status := ask(direct, headers=operator)[0]) != 200:
        fail(f"an operator is answered {status} on the ops address, want 200")
    for path in ("/", "/metrics", "/healthz", "/readyz", "/debug/pprof/", "/scim/v20", "/api/v10", "/api", "/api/v1/operator",
                 "/api/v1/operator/organizations", "/api/v1/%6fperator/organizations", "/api/v1/x/../operator/organizations",
                 "/api/v1//operator/organizations", "/API/v1/operator/organizations"):  # fmt: skip
        if (status := ask(site + path, headers=operator)[0]) != 404:
            fail(f"{path} is answered {status} through the proxy, want 404")
    for path, want in {"/api/v1/openapi.json": 200, "/api/v1/me": 200}.items():
        if (status := ask(site + path, headers=auth)[0]) != want:
            fail(f"{path} is answered {status} through the proxy, want {want}")

    def used(server):
        text = ask(f"http://{server.ops}/metrics")[1].decode()
        return sum(float(n) for n in re.findall(r"^rollcall_http_requests_total\{.*\} (\S+)$", text, re.M))

    for _ in range(20):
        ask(f"{site}/scim/v2/Users", headers=auth)
    if not all(used(s) for s in servers):
        fail("one of the two processes got no request")
    servers[0].stop()
    codes = {ask(f"{site}/scim/v2/Users", headers=auth)[0] for _ in range(50)}
    if codes != {200}:
        fail(f"with one process of two gone: {codes}, want 200 only")
    print("SCIM passes, the companion API too without its operators' part, and nothing else does, forged X-Forwarded headers do not count, 50 of 50 requests were answered with one process gone")


def main():
    checks = {"prometheus": check_prometheus, "proxy": check_proxy}
    if len(sys.argv) != 2 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    started = []
    with tempfile.TemporaryDirectory(prefix="deploy-live-") as name:
        work = pathlib.Path(name)
        try:
            checks[sys.argv[1]](work, started)
        except BaseException:
            for p in started:
                print(f"--- {p.log.name}\n{p.log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
            raise
        finally:
            for p in reversed(started):
                p.stop()


if __name__ == "__main__":
    main()
