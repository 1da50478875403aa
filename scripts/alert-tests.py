#!/usr/bin/env python3
"""Writes unit tests of the alerts for `promtool test rules` to standard output.

Each case changes something in the same healthy two hours and names every alert that fires then; no other may. promtool's
own format repeats all series in each test, so the cases are here. It fails if there is an alert that no case makes fire.

    scripts/alert-tests.py deploy/prometheus/rules/rollcall.yaml > FILE && promtool test rules FILE
"""

import json
import pathlib
import re
import sys

A = 'instance="a"'


def requests(org, method, status):
    return f'rollcall_http_requests_total{{{A}, organization="{org}", resource_type="User", method="{method}", status="{status}"}}'


def operations(op, result):
    return f'rollcall_store_operations_total{{{A}, operation="{op}", result="{result}"}}'


def companion(status):
    return f'rollcall_admin_requests_total{{{A}, organization="acme", operation="list-members", status="{status}"}}'


def mails(result):
    return f'rollcall_mails_total{{{A}, template="invite", result="{result}"}}'


MAIL_AGE = f"rollcall_mail_queue_age_seconds{{{A}}}"


def rejections(reason):
    return f'rollcall_http_rejections_total{{{A}, reason="{reason}"}}'


def failures(reason):
    return f'rollcall_auth_failures_total{{{A}, reason="{reason}"}}'


def of_job(name, job="rollcall"):
    return f'{name}{{job="{job}", {A}}}'


def build(instance, version):
    return f'rollcall_build_info{{instance="{instance}", version="{version}", revision="{version}"}}'


def histogram(name, labels, slow):
    """60 observations a minute, all of about a second or all below 10 ms."""
    fast = 0 if slow else 60
    edges = {"0.01": fast, "0.25": fast, "2.5": 60, "+Inf": 60}
    return {f'{name}_bucket{{{labels}, le="{le}"}}': f"0+{n}x120" for le, n in edges.items()}


COMMITS = ("rollcall_store_commit_duration_seconds", A)
GETS = ("rollcall_http_request_duration_seconds", f'{A}, resource_type="User", method="GET", status_class="2xx"')
BULK = ("rollcall_http_request_duration_seconds", f'{A}, resource_type="", method="POST", status_class="2xx"')

# One sample a minute, from 0m to 120m; the question is asked at 115m.
HEALTHY = {
    of_job("up"): "1x120",
    of_job("probe_success", "rollcall-ready"): "1x120",
    of_job("process_start_time_seconds"): "1000x120",
    of_job("process_open_fds"): "50x120",
    of_job("process_max_fds"): "1024x120",
    build("a", "v1"): "1x120",
    f"rollcall_http_panics_total{{{A}}}": "0x120",
    requests("acme", "GET", 200): "0+600x120",
    requests("acme", "POST", 409): "0+5x120",
    requests("", "GET", 503): "0+1x120",
    rejections("overload"): "0x120",
    rejections("rate_token"): "0x120",
    failures("expired"): "0x120",
    failures("unknown"): "0+3x120",
    operations("update", "ok"): "0+300x120",
    operations("update", "contention"): "0+1x120",
    operations("get", "not_found"): "0+100x120",
    companion(200): "0+60x120",
    companion(503): "0x120",
    mails("sent"): "0+2x120",
    mails("deferred"): "0x120",
    MAIL_AGE: "3x120",
    **histogram(*COMMITS, slow=False),
    **histogram(*GETS, slow=False),
}

GONE = None

CASES = [
    # what happens, which alerts fire, what is different
    ("nothing is wrong", [], {}),
    ("no target", ["RollcallAbsent"], {of_job("up"): GONE}),
    ("a process is gone", ["RollcallDown"], {of_job("up"): "1x110 0x10"}),
    ("a process is gone for a minute", [], {of_job("up"): "1x114 0x10"}),
    ("no database", ["RollcallNotReady"], {of_job("probe_success", "rollcall-ready"): "1x110 0x10"}),
    ("restarts", ["RollcallRestarting"], {of_job("process_start_time_seconds"): "1000x90 2000x5 3000x5 4000x20"}),
    ("one restart", [], {of_job("process_start_time_seconds"): "1000x90 2000x30"}),
    ("a panic", ["RollcallPanic"], {f"rollcall_http_panics_total{{{A}}}": "0x110 1x10"}),
    ("5xx", ["RollcallErrors"], {requests("", "GET", 503): "0+12x120"}),
    ("5xx since two minutes", [], {requests("", "GET", 500): "0x112 12x10"}),
    ("not implemented is no failure", [], {requests("", "GET", 501): "0+60x120"}),
    ("a full disk", ["RollcallStoreFailing"], {operations("commit", "unavailable"): "0x100 1+1x20"}),
    ("contention", ["RollcallContention"], {operations("update", "contention"): "0+10x120"}),
    ("a slow disk", ["RollcallSlowCommits"], histogram(*COMMITS, slow=True)),
    ("slow requests", ["RollcallSlowRequests"], histogram(*GETS, slow=True)),
    ("Bulk requests take their time", [], histogram(*BULK, slow=True)),
    ("overload", ["RollcallOverloaded"], {rejections("overload"): "0+1x120"}),
    ("a rate", ["RollcallRateLimited"], {rejections("rate_token"): "0+1x120"}),
    ("an expired token", ["RollcallExpiredToken"], {failures("expired"): "0x100 1x20"}),
    ("a token that expired long ago", [], {failures("expired"): "0x10 1x110"}),
    ("guesses", ["RollcallTokenGuessing"], {failures("unknown"): "0+120x120"}),
    (
        "a client whose mapping is wrong",
        ["RollcallClientErrors"],
        {requests("umbrella", "PATCH", 400): "0+10x120", requests("umbrella", "GET", 200): "0+20x120"},
    ),
    (
        "a quiet client with one error",
        [],
        {requests("umbrella", "PATCH", 400): "0x108 1x12", requests("umbrella", "GET", 200): "0x100 1x20"},
    ),
    ("5xx of the companion API", ["RollcallCompanionErrors"], {companion(503): "0+6x120"}),
    ("one 5xx of a quiet companion API", [], {companion(200): "0x100 1x20", companion(503): "0x112 1x8"}),
    ("a mail server that is away", ["RollcallMailWaiting"], {MAIL_AGE: "3x80 60+60x40", mails("deferred"): "0+2x120"}),
    ("mails that wait for some minutes", [], {MAIL_AGE: "3x110 60+60x10"}),
    ("mails that are refused", ["RollcallMailFailing"], {mails("failed"): "0+1x120"}),
    ("one mail that is refused", [], {mails("sent"): "0x120", mails("failed"): "0x100 1x20"}),
    ("descriptors", ["RollcallFiles"], {of_job("process_open_fds"): "900x120"}),
    ("two builds", ["RollcallVersionsDiffer"], {build("b", "v2"): "1x120"}),
    ("two builds during an upgrade", [], {build("b", "v2"): "_x90 1x30"}),
]


def test(name, firing, change):
    series = {k: v for k, v in {**HEALTHY, **change}.items() if v is not GONE}
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": k, "values": v} for k, v in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "115m",
                "exp_samples": [{"labels": f'{{alertname="{a}"}}', "value": 1} for a in firing],
            }
        ],
    }


def main():
    rules = pathlib.Path(sys.argv[1]).resolve()
    alerts = set(re.findall(r"^\s*- alert: (\w+)$", rules.read_text(), re.M))
    fired = {a for _, firing, _ in CASES for a in firing}
    if alerts != fired:
        sys.exit(f"alert-tests: without a case: {sorted(alerts - fired)}; no such alert: {sorted(fired - alerts)}")
    # JSON is YAML.
    json.dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test(*c) for c in CASES]}, sys.stdout, indent=1)
    print(f"{len(CASES)} cases, {len(alerts)} alerts", file=sys.stderr)


if __name__ == "__main__":
    main()
