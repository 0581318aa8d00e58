#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make demo`: the gateway between namespaces, with real clients and real load,
# upgraded, restarted and killed while every packet is numbered. The exit status
# is 0 only when none was lost and everything that was mapped is mapped as before.
import argparse
import hashlib
import os
import pathlib
import signal
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BNG_BUILD", str(TOP / "build" / "release"))
sys.path.insert(0, str(TOP / "test" / "lab"))

import sandbox  # noqa: E402
from lab import GATEWAY, INTERNET, Lab, wait_for  # noqa: E402
from meter import Meter, add_sessions, faults  # noqa: E402
from traffic import Iperf, WhoCalled, ask, tcp_ask, udp_socket  # noqa: E402

SUBSCRIBERS, FLOWS = 1000, 5000
IPERF_SECONDS = 3600


def ok(what, detail="", since=None):
    took = f"{(time.monotonic() - since) * 1000:10.1f} ms" if since else ""
    print(f"  [ ok ] {what:<34} {detail:<58}{took}", flush=True)


def heading(text):
    print(f"\n{text}", flush=True)


def show(output):
    print("".join(f"    {line}\n" for line in output.rstrip().splitlines()), end="", flush=True)


def digest(lines):
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


class Snapshot:
    """What subscribers would notice if it changed: sessions, mappings, public address:port pairs.

    ICMP is left out: its mappings live a minute, shorter than the demo may run.
    """

    def __init__(self, lab):
        self.sessions = [f"{number} {' '.join(who)}" for number, who in lab.sessions().items()]
        self.mappings = {f"{protocol} {inner}:{port}": f"{public}:{public_port}"
                         for (protocol, inner, port), (public, public_port) in lab.mappings().items()}

    def rows(self, known):
        """(name, count, hash) of what `known` knew, as it is now."""
        mappings = [f"{flow} {self.mappings.get(flow, 'gone')}" for flow in known.mappings]
        pairs = [self.mappings.get(flow, "gone") for flow in known.mappings]
        sessions = set(known.sessions) & set(self.sessions)
        return [("sessions", len(sessions), digest(sessions)),
                ("mappings", sum(not line.endswith(" gone") for line in mappings), digest(mappings)),
                ("public address:port pairs", len(set(pairs) - {"gone"}), digest(pairs))]


def start(lab):
    heading("Starting the gateway")
    begin = time.monotonic()
    lab.start_holder()
    ok("bpfholder", f"pid {lab.holder.pid}, root, owns programs, maps and sockets", begin)
    begin = time.monotonic()
    lab.start_controld()
    ok("bng-controld", f"pid {lab.controld.pid}, user bng, no capability", begin)
    for interface, program in sorted(lab.programs().items()):
        ok("link", f"{interface} (xdp, native, program {program})")


def bring_up_clients(lab):
    heading("Subscribers come up by DHCP (udhcpc)")
    lab.alice = lab.client("alice", "02:00:00:00:00:0a")
    lab.bob = lab.client("bob", "02:00:00:00:00:0b", ["88a8:100", "8100:7"])
    for client, how in ((lab.alice, "untagged"), (lab.bob, "QinQ, 802.1ad 100 / 802.1Q 7")):
        begin = time.monotonic()
        client.start_dhcp()
        address = client.wait_bound()
        ok(f"{client.name}", f"{address}, {how}", begin)
    begin = time.monotonic()
    add_sessions(lab, SUBSCRIBERS)
    ok("sessions for the loss meter", f"{SUBSCRIBERS} by RPC", begin)


def check_clients(lab):
    heading("Real traffic")
    for client in (lab.alice, lab.bob):
        for name, address in (("the gateway", GATEWAY), ("the internet", INTERNET)):
            received = client.ping(address, 10)
            if received != 10:
                raise RuntimeError(f"{client.name} pings {name} ({address}): {received} of 10 answered")
        with udp_socket(client.namespace) as talker:
            seen = ask(talker, INTERNET)
        ok(client.name, f"ping 20 of 20, the internet sees {seen[0]} port {seen[1]}")
        size, retransmits = Iperf(client, INTERNET, 2).result()
        ok(f"{client.name}: iperf3 TCP, 2 s", f"{size * 8 / 2e6:.0f} Mbit/s, {retransmits} retransmissions")


def start_load(lab):
    lab.meter = Meter(lab, SUBSCRIBERS, FLOWS, max_flows=2 * FLOWS)
    lab.meter.prime()
    lab.meter.start("both")
    lab.background = [Iperf(client, INTERNET, IPERF_SECONDS, port=5300 + number)
                      for number, client in enumerate((lab.alice, lab.bob))]
    time.sleep(1)
    ok("load", f"loss meter at full speed both ways, {SUBSCRIBERS} subscribers, {FLOWS} flows; 2 TCP streams")


def check_streams(lab):
    for stream in lab.background:
        if stream.client.poll() is not None:
            raise RuntimeError(f"a TCP stream broke:\n{lab.log('iperf-client')}")


def sent_so_far(lab):
    report = lab.meter.report()
    return report["up"]["received"] + report["down"]["received"]


def upgrade(lab, path):
    result = lab.cli("issu", "upgrade", path, check=False)
    show(result.stdout + result.stderr)
    if result.returncode:
        raise RuntimeError(f"bngcli issu upgrade: exit status {result.returncode}")


def report_start(lab, away):
    """The phases of controld's start, as its log and `bngcli status` show them."""
    for phase in lab.call("status")["start"]["phases"]:
        print(f"  [ ok ] {phase['name']:<34} {phase['detail']:<58}{phase['ms']:10.1f} ms")
    ok("control plane away", f"{away * 1000:.0f} ms")


def restart_controld(lab, how):
    before, begin = sent_so_far(lab), time.monotonic()
    if how == signal.SIGKILL:
        lab.controld.kill()
        lab.reap(lab.controld)
        open_flows_without_anybody(lab)
    else:
        lab.stop(lab.controld)
    lab.start_controld()
    away = time.monotonic() - begin
    report_start(lab, away)
    ok("forwarded meanwhile", f"{sent_so_far(lab) - before:,} packets")


def open_flows_without_anybody(lab):
    lab.meter.command(f"flows {2 * FLOWS}")
    for client in (lab.alice, lab.bob):
        seen = tcp_ask(client.namespace, INTERNET)
        ok(f"{client.name}: new TCP flow", f"opened with controld dead, seen as {seen[0]} port {seen[1]}")
    time.sleep(1)


def kill_holder(lab):
    programs = lab.programs()
    before, begin = sent_so_far(lab), time.monotonic()
    lab.holder.kill()
    lab.reap(lab.holder)
    ok("bpfholder killed", "packets go on: links and maps are pinned")
    time.sleep(0.5)
    lab.start_holder()
    if lab.programs() != programs:
        raise RuntimeError(f"programs changed over the holder's death: {programs} -> {lab.programs()}")
    wait_for("controld to be with the new holder", lambda: lab.call("status")["holder"]["pid"] == lab.holder.pid)
    ok("bpfholder back", f"pid {lab.holder.pid}, {len(programs)} links adopted as they were", begin)
    ok("forwarded meanwhile", f"{sent_so_far(lab) - before:,} packets")


def prove(report, before, after):
    """Prints the proof; True when it is one."""
    heading("Proof")
    print(f"  {'':28}{'sent':>14}{'received':>14}{'lost':>8}{'reordered':>11}{'longest gap':>14}")
    for direction in ("up", "down"):
        row = report[direction]
        print(f"  packets {direction:<20}{row['sent']:>14,}{row['received']:>14,}{row['lost']:>8}{row['reordered']:>11}"
              f"{row['longest_gap_us'] / 1000:>11.1f} ms")
    same = True
    for (name, count, sha), (_, count_after, sha_after) in zip(before.rows(before), after.rows(before)):
        equal = (count, sha) == (count_after, sha_after)
        same = same and equal
        print(f"  {name:<28}{count:,} before, {count_after:,} after   sha256 {sha[:16]}… "
              f"{'=' if equal else '≠'} {sha_after[:16]}…")
    wrong = faults(report)
    moved = report["up"]["received"] > 0 and report["down"]["received"] > 0
    if wrong:
        print(f"  faults: {wrong}")
    good = same and moved and not wrong
    print(f"\n{'HITLESS: nothing was lost and nothing changed.' if good else 'FAILED: see above.'}", flush=True)
    return good


def run(lab):
    start(lab)
    bring_up_clients(lab)
    with WhoCalled(lab.internet, INTERNET):
        check_clients(lab)
        start_load(lab)
        before = Snapshot(lab)
        heading("bngcli issu upgrade: a new data plane, under load")
        upgrade(lab, lab.second_build())
        heading("bng-controld restarted (SIGTERM), under load")
        restart_controld(lab, signal.SIGTERM)
        heading("bng-controld killed (SIGKILL), new flows while it is dead")
        restart_controld(lab, signal.SIGKILL)
        heading("bpfholder killed (SIGKILL), under load")
        kill_holder(lab)
        heading("bngcli issu upgrade once more: the holder still can")
        upgrade(lab, lab.object)
        check_streams(lab)
        for command in ("status", "interfaces", "drops"):
            heading(f"bngcli {command}")
            show(lab.cli(command).stdout)
        report = lab.meter.stop()
        after = Snapshot(lab)
        for stream in lab.background:
            lab.stop(stream.client, signal.SIGKILL)
            lab.stop(stream.server, signal.SIGKILL)
        lab.meter.close()
    return prove(report, before, after)


def leave_running(lab):
    cli = f"{lab.directory}/bngcli --state {lab.state}"
    heading("Left running. Explore it:")
    for command in ("status", "sessions --limit 5", "cgnat pools", f"cgnat mappings --address {lab.alice.address}", "drops",
                    "interfaces", "maps", "issu status", f"issu upgrade {lab.object}", "events follow"):
        print(f"  {cli} {command}")
    print(f"  ip netns exec {lab.alice.namespace} ping {INTERNET}\nEnd it:\n  make demo-stop")
    lab.leave_running()


def on_signal(number, _frame):
    raise KeyboardInterrupt(f"signal {number}")


def main():
    parser = argparse.ArgumentParser(description="The gateway at work, upgraded and killed under load.")
    parser.add_argument("--keep", action="store_true", help="leave it running at the end")
    parser.add_argument("--stop", action="store_true", help="end what --keep left running")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("demo: makes namespaces and loads XDP programs, so it needs root: run it with sudo")
    if args.stop:
        print(f"{sandbox.end_kept()} demo(s) ended")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # also where the caller had them ignored
        signal.signal(number, on_signal)
    lab = None
    try:
        lab = Lab(keep=args.keep)
        good = run(lab)
        if args.keep:
            leave_running(lab)
            lab = None
        return 0 if good else 1
    except KeyboardInterrupt:
        print("\ninterrupted: cleaning up", flush=True)
        return 130
    except (RuntimeError, TimeoutError, OSError) as error:
        print(f"\nFAILED: {error}", flush=True)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lab:
            lab.close()


if __name__ == "__main__":
    sys.exit(main())
