#!/usr/bin/env python3
"""Waits for the server of conformance.sh, and compares the checkers' findings with docs/conformance.md.

A finding is every result that is no success: failures, errors, warnings, deviations and skipped checks alike. A
skipped check counts because a server that stops to advertise a feature would else pass by being asked less.
"""

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

# How scim2-cli 0.6.0 prints a result: the status and the check's name, then the reason, indented by two blanks.
RESULT = re.compile(r"^(SUCCESS|COMPLIANT|ACCEPTABLE|DEVIATION|ERROR|CRITICAL|SKIPPED) (\S+)$")
GOOD = {"SUCCESS", "COMPLIANT", "ACCEPTABLE"}
UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
START, END = "<!-- accepted: begin -->", "<!-- accepted: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    wait = commands.add_parser("wait", help="print the server's address once it is ready")
    wait.add_argument("--addr-file", required=True)
    wait.add_argument("--pid", type=int, required=True)
    wait.add_argument("--seconds", type=float, default=30)
    compare = commands.add_parser("compare", help="compare findings with the accepted ones")
    compare.add_argument("--accepted", required=True)
    for checker in ("scim2-tester", "scim-sanity"):
        compare.add_argument(f"--{checker}", action="append", default=[], metavar="MODE=FILE")
        compare.add_argument(f"--{checker}-least", type=int, default=1, help="least number of checks in a run")
    args = parser.parse_args()
    if args.command == "wait":
        return wait_ready(args.addr_file, args.pid, args.seconds)
    return compare_findings(args)


def wait_ready(addr_file: str, pid: int, seconds: float) -> int:
    """Polls until the address file exists and /readyz there says 200."""
    deadline = time.monotonic() + seconds
    last = "it wrote no address"
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            print("conformance: the server ended at start", file=sys.stderr)
            return 1
        address = read_address(addr_file)
        if address:
            try:
                with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        print(address)
                        return 0
                    last = f"/readyz says {answer.status}"
            except (urllib.error.URLError, OSError) as e:
                last = f"/readyz: {e}"
        time.sleep(0.05)
    print(f"conformance: the server was not ready in time: {last}", file=sys.stderr)
    return 1


def read_address(path: str) -> str:
    """Returns the listen line of the file that --addr-file names; the server makes it appear whole."""
    try:
        with open(path, encoding="utf-8") as f:
            lines = dict(line.strip().split("=", 1) for line in f if "=" in line)
    except FileNotFoundError:
        return ""
    return lines.get("listen", "")


def compare_findings(args: argparse.Namespace) -> int:
    accepted = read_accepted(args.accepted)
    findings: dict[tuple[str, str], str] = {}
    runs = []
    for checker, pairs, read, least in (
        ("scim2-tester", args.scim2_tester, scim2_tester, args.scim2_tester_least),
        ("scim-sanity", args.scim_sanity, scim_sanity, args.scim_sanity_least),
    ):
        for pair in pairs:
            mode, _, path = pair.partition("=")
            runs.append((f"{checker} {mode}", read(path), least))
    broken = False
    for name, results, least in runs:
        bad = [r for r in results if not r["good"]]
        known = [r for r in bad if (name, r["check"]) in accepted]
        print(
            f"conformance {name}: {len(results) - len(bad)} of {len(results)} passed,"
            f" {len(known)} accepted, {len(bad) - len(known)} failed"
        )
        if len(results) < least:
            print(f"  {name} made {len(results)} checks, not {least}: it gave up early", file=sys.stderr)
            broken = True
        for r in bad:
            findings.setdefault((name, r["check"]), r["reason"])
    for key, reason in sorted(findings.items()):
        if key not in accepted:
            broken = True
            print(f"  not accepted: {key[0]} | {key[1]}\n      {reason}", file=sys.stderr)
    for key in sorted(accepted - findings.keys()):
        broken = True
        print(f"  accepted but no longer found, remove its row: {key[0]} | {key[1]}", file=sys.stderr)
    return 1 if broken else 0


def read_accepted(path: str) -> set[tuple[str, str]]:
    """Reads the table between the two markers: runs, check, reason, RFC section; each must be filled."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if START not in text or END not in text:
        sys.exit(f"conformance: {path} has no table between {START} and {END}")
    rows: set[tuple[str, str]] = set()
    for line in text.split(START)[1].split(END)[0].splitlines():
        if not line.startswith("|"):
            continue
        cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
        if cells[0] == "Runs" or set(cells[0]) <= set("-: "):
            continue
        if len(cells) != 4 or not all(cells):
            sys.exit(f"conformance: a row of {path} lacks its run, check, reason or section: {line}")
        for run in cells[0].split(","):
            key = (run.strip(), cells[1])
            if key in rows:
                sys.exit(f"conformance: {path} lists {' | '.join(key)} twice")
            rows.add(key)
    return rows


def scim2_tester(path: str) -> list[dict]:
    results: list[dict] = []
    reason: list[str] = []
    with open(path, encoding="utf-8") as f:
        for line in f.read().splitlines():
            match = RESULT.match(line)
            if match:
                reason = []
                results.append({"good": match[1] in GOOD, "status": match[1], "title": match[2], "reason": reason})
            else:
                reason.append(line.strip())
    for r in results:
        text = " ".join(r["reason"])
        r["check"] = f"{r['title']}: {subject(r['reason'][0] if r['reason'] else r['status'])}"
        r["reason"] = f"{r['status']}: {text[:1000]}"
    return results


def scim_sanity(path: str) -> list[dict]:
    with open(path, encoding="utf-8") as f:
        try:
            report = json.load(f)
        except json.JSONDecodeError:
            return []
    results = []
    for r in report["results"]:
        phase = r.get("phase", "").split(" ")
        where = " ".join(phase[:2]) if phase[0] == "Phase" else phase[0]
        check = f"{where}: {r['name']}"
        if r["status"] != "pass":
            check += f" ({r['status']}): {subject(r.get('message', ''))}"
        results.append({"good": r["status"] == "pass", "check": subject(check), "reason": r.get("message", "")})
    return results


def subject(text: str) -> str:
    """What a result is about, without what differs from run to run, on one line that a table can hold."""
    return UUID.sub("{id}", text).replace("|", "/").strip()


if __name__ == "__main__":
    sys.exit(main())
