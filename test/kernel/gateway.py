# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Runs in the machine with the oldest kernel: the lab with the real daemons, a DHCP client
# with a translated flow, and load both ways, while the data plane is replaced, goes back,
# is refused and is left alone. Says a line for each step that held, and how many packets
# went through meanwhile; the first step that does not hold ends it.
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import time

import lab as lab_module
from lab import INTERNET, PATIENCE_S, Lab, wait_for
from meter import Meter, add_sessions, faults
from rpc import RpcError
from sandbox import entered
from traffic import WhoCalled, ask, udp_socket

SUBSCRIBERS, FLOWS, RATE, SWAPS = 20, 100, 2000, 20
POOL = "203.0.113.0/31"
# Few, as an emulated machine moves some thousand entries a second; golden packets need these.
SIZES = {"subscribers": 1024, "public_addresses": 4, "port_blocks": 4096, "exempt": 64, "pcp": 4096}
LARGER = {name: 2 * size for name, size in SIZES.items()}
PACKETS = 100  # each way, in each step, at least
INTERFACES = {"access0", "access1", "core0", "core1"}  # and one for packets of controld's
PROGRAMS = {"bng_access", "bng_core", "bng_inject", "bng_sweep", "bng_canary_access", "bng_canary_core", "bng_canary_inject"}
PHASES = ("hello", "object", "migrate", "maps", "descriptors", "records", "compare", "sessions", "blocks", "configuration", "ready")
GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
DEEP = lab_module.BUILD / "bpf" / "holder_deep.bpf.o"


def config():
    chosen = lab_module.default_config()
    chosen["sizes"] = dict(SIZES)
    chosen["dhcp4"]["pools"][0].update(prefix="10.0.0.0/24", last="10.0.0.254")
    chosen["cgnat"]["pools"][0]["prefixes"] = [POOL]
    chosen["cgnat"]["pools"][0]["timeouts"] = {"udp": 86400}  # mappings stay, however slow the machine is
    # How long a packet takes is not asked there: the machine is emulated.
    chosen["issu"] = {"verify": {"packets": 64, "seconds": 2, "time_ratio": 100, "golden": str(GOLDEN)}}
    chosen["startup"] = {"deadline_s": dict.fromkeys(PHASES, 600)}
    return chosen


class Gateway(Lab):
    """The lab, under load since `begin`, and what must be the same at every check."""

    def begin(self):
        self.start_holder()
        self.start_bngsync()
        self.start_controld()
        self.alice = self.client("alice", "02:00:00:00:00:0a")
        self.alice.start_dhcp()
        self.alice.wait_bound()
        self.talker = udp_socket(self.alice.namespace)
        add_sessions(self, SUBSCRIBERS)
        self.meter = Meter(self, SUBSCRIBERS, FLOWS)
        self.meter.leave_time_to_others()
        assert self.meter.prime()["up"]["lost"] == 0
        self.public = ask(self.talker, INTERNET)
        self.before = {what: getattr(self, what)() for what in ("digest", "sessions", "mappings")}
        self.sent = {"up": 0, "down": 0}
        self.meter.start("both", rate=RATE)

    def check(self):
        """Sessions, mappings and public ports are what they were; of the packets since the last check none is missing."""
        wait_for("packets", lambda: min(self.meter.report()[way]["received"] for way in self.sent) >= PACKETS)
        report = self.meter.stop()
        assert faults(report) == {}, report
        for way, sent in self.sent.items():
            assert report[way]["received"] == report[way]["sent"], report
            self.sent[way] = sent + report[way]["sent"]
        assert ask(self.talker, INTERNET) == self.public
        for what, before in self.before.items():
            assert getattr(self, what)() == before, f"{what}: {getattr(self, what)()}, before {before}"
        self.meter.start("both", rate=RATE)
        return f"{report['up']['sent']} packets up, {report['down']['sent']} down, sent = received"

    def status(self):
        return self.call("holder.status", server="holder")

    def programs_of(self, generation):
        return {program["name"] for entry in self.status()["generations"] if entry["generation"] == generation
                for program in entry["programs"]}

    def everything(self):
        """What a refusal and a death must not change."""
        status = self.status()
        links = sorted(status["links"], key=lambda link: link["interface"])
        return self.programs(), status["generation"], status["generations"], links, status["maps"]


def attached(lab):
    links = lab.status()["links"]
    assert {link["state"] for link in links} == {"attached"} and {link["mode"] for link in links} == {"native"}
    assert set(lab.programs()) == {link["interface"] for link in links} > INTERFACES
    return f"{len(links)} interfaces, native"


def forwarded(lab):
    assert len(lab.before["sessions"]) == SUBSCRIBERS + 1 and len(lab.before["mappings"]) == FLOWS + 1
    return f"a DHCP client's {lab.alice.address} is seen as {lab.public[0]}:{lab.public[1]}"


def golden_packets():
    return sum(len(json.loads(path.read_text())["packets"]) for path in GOLDEN.glob("*.json"))


def upgraded(lab):
    """Compared by packets first, then by way of a canary: half of the subscribers."""
    second, before = lab.directory / "bng2.bpf.o", lab.programs()
    shutil.copy(lab.object, second)
    report = lab.cli_json("issu", "upgrade", second, "--canary", "50%", "--bake", "2s", "--then", "100%")
    print(report, flush=True)
    verify = report["verify"]
    assert report["hitless"] and verify["passed"] and verify["differences"] == []
    assert verify["captured"] > 0 and verify["golden"] == golden_packets()
    assert verify["golden_mended"] == verify["golden_elsewhere"] == 0
    assert all(lab.programs()[name] != program for name, program in before.items())
    assert lab.programs_of(lab.status()["generation"]) == PROGRAMS
    return (f"generation {lab.status()['generation']}, {len(PROGRAMS)} programs accepted, {verify['runs']} test runs without a "
            "difference")


def rolled_back(lab):
    second, running = lab.status()["generation"], lab.programs()
    print(lab.cli("issu", "rollback").stdout, flush=True)
    assert lab.status()["generation"] < second
    assert all(lab.programs()[name] != program for name, program in running.items())
    return f"generation {lab.status()['generation']}"


def gone_over(lab):
    """A start of controld over a bridge; None where bpfholder found no moment at which both of the emulated CPUs ran."""
    lab.cli("issu", "migrate", lab.bridge)
    assert lab.stop(lab.controld) == 0
    lab.start_controld()
    said = next(phase for phase in lab.call("status")["start"]["phases"] if phase["name"] == "maps migrated")["detail"]
    return None if "given up after" in said else lab.call("issu.status")["migration"]


def grown(lab):
    """By a bridge; the ordinary object follows."""
    lab.config["sizes"].update(LARGER)
    lab.write_config()
    migration = wait_for("the bridge to open", lambda: gone_over(lab))
    assert (migration["generation"], migration["state"], migration["reason"]) == (lab.status()["generation"], "done", "")
    assert migration["moved"] == migration["entries"] > SIZES["port_blocks"]
    sizes = {row["name"]: (row["entries_old"], row["entries_new"]) for row in migration["maps"]}
    assert sizes["subscriber"] == (SIZES["subscribers"], LARGER["subscribers"]), sizes
    assert sizes["port_block"] == (SIZES["port_blocks"], LARGER["port_blocks"]), sizes
    report = lab.cli_json("issu", "upgrade", lab.object, "--no-verify")
    assert report["hitless"], report
    return (f"{len(migration['maps'])} maps, {migration['moved']} entries moved in {migration['move_ms']} ms, open after "
            f"{migration['opening_us']} us in attempt {migration['attempts']}")


def swapped(lab):
    with lab.rpc("holder", PATIENCE_S) as holder:
        for _ in range(SWAPS):
            assert len(holder.call("swap.rollback")["links"]) == len(INTERFACES) + 1
    return f"{SWAPS} times, {len(INTERFACES) + 1} links each"


def refused(lab):
    """A kernel of this age counts stack in larger units (test_holder.py: a newer one takes the object)."""
    before = lab.everything()
    with lab.rpc("holder", PATIENCE_S) as holder, open(DEEP, "rb") as file:
        try:
            result = holder.call("object.stage", {"name": "deep"}, [file.fileno()])
        except RpcError as error:
            refusal = error
        else:
            raise AssertionError(f"an object that this kernel refuses was staged: {result}")
    assert refusal.data["program"] == "bng_core" and "nothing was changed" in refusal.message
    assert any("combined stack size of" in line for line in refusal.data["log"]), refusal.data["log"]
    assert lab.everything() == before
    return refusal.message


def restarted(lab):
    before = lab.everything()
    for process in (lab.controld, lab.holder):
        process.kill()
        lab.reap(process)
    lab.start_daemons()
    assert lab.everything() == before
    return "controld and the holder killed and started"


def datagram_socket(lab, stack, address=None):
    with entered(lab.gateway):
        made = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.settimeout(PATIENCE_S)
    if address:
        made.bind(address)
    return made


def grouped(lab):
    """Sockets of two generations: a flow stays with the one it began with."""
    address = ("127.0.0.1", 7000)
    with contextlib.ExitStack() as stack, lab.rpc("holder") as holder:
        servers, clients = [], []
        for generation in (1, 2):
            servers.append(datagram_socket(lab, stack, address))
            clients.append(datagram_socket(lab, stack))
            holder.call("group.register", {"name": "test", "generation": generation}, [servers[-1].fileno()])
            holder.call("group.set_working", {"name": "test", "generation": generation})
            clients[-1].sendto(b"first", address)
            assert servers[-1].recv(100) == b"first"
        for server, client in zip(servers, clients):
            client.sendto(b"second", address)
            assert server.recv(100) == b"second"
    return "datagrams of two flows to two generations of a reuseport group"


STEPS = (attached, forwarded, upgraded, rolled_back, grown, swapped, refused, restarted, grouped)


def main():
    os.sched_setaffinity(0, {0})  # an emulated CPU costs a real one, so the second has nothing to do but what `grown` gives it
    with Gateway(config()) as lab, WhoCalled(lab.internet, INTERNET):
        lab.begin()
        for step in STEPS:
            print(f"passed {step.__name__}: {step(lab)}; {lab.check()} [{time.monotonic():.0f} s]", flush=True)
        lab.meter.stop()
        drops = {name: count for name, count in lab.drops().items() if count and name.startswith("drop_")}
        assert drops == {}, drops
        for name in ("holder", "controld", "bngsync"):
            assert not re.search("Sanitizer|runtime error", lab.log(name)), lab.log(name)
        digest = lab.before["digest"]["mappings"]
        print(f"passed all: {lab.sent['up']} packets up, {lab.sent['down']} down, lost 0, dropped 0; {digest['count']} mappings "
              f"before = after, sha256 {digest['sha256']}")


if __name__ == "__main__":
    main()
