# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# An upgrade to a release whose sessions and port blocks are laid out anew, and back, as an operator does
# it: install, restart bng-controld. Both releases are real: the other one is built of the same
# sources with other headers (test/bpf/other_layout.py). Nothing is lost, nothing changes, whoever dies.
import json
import pathlib
import re
import signal

import pytest

import sandbox
from lab import AS_BNG, BUILD, INTERNET, Lab, default_config, wait_for
from meter import Meter, add_sessions, faults
from traffic import WhoCalled, ask, udp_socket

TOP = pathlib.Path(__file__).resolve().parents[2]
LAYOUT = int(re.search(r"BNG_ABI_VERSION (\d+)", (TOP / "dataplane/abi/version.h").read_text()).group(1))
OLD, NEW = "0.1.0", "0.1.0+other"
LAYOUTS = {OLD: LAYOUT, NEW: LAYOUT + 1}
RECORD_BYTES = {OLD: 256, NEW: 320}
SUBSCRIBERS, FLOWS, RATE = 100, 1000, 5000
UP, DOWN = f"bng-bridge-{LAYOUT}-{LAYOUT + 1}.bpf.o", f"bng-bridge-{LAYOUT + 1}-{LAYOUT}.bpf.o"
# What the newer release has in place of this one's.
OTHER = {"bin/bng-controld": "bin/bng-controld-other", "bpf/bng.bpf.o": "bpf/other_layout.bpf.o",
         f"bpf/{UP}": "bpf/bridge_to_other.bpf.o", f"bpf/{DOWN}": "bpf/bridge_from_other.bpf.o"}
FILES = ("bin/bpfholder", "bin/bng-controld", "bin/bngsync", "bin/bngcli", "bpf/bng.bpf.o", "bpf/bng-bridge.bpf.o", "lib/libholdfast.a")


def config():
    chosen = default_config()
    chosen["sizes"] = {"subscribers": 4096, "public_addresses": 32, "port_blocks": 4096, "exempt": 64, "pcp": 64}
    chosen["dhcp4"]["pools"][0].update(prefix="10.0.0.0/24", last="10.0.0.200")
    chosen["sessions"] = [{"address": "10.9.0.2", "mac": "02:00:00:00:00:0c", "interface": "access0",
                           "forwards": [{"protocol": "tcp", "inner_port": 22, "public_port": 40022}]}]
    return chosen


class LayoutLab(Lab):
    """The older release is installed and runs."""

    def __init__(self):
        super().__init__(config())
        try:
            self.root = self.directory / "root"
            for release, files in ((OLD, {}), (NEW, OTHER)):
                for name in {*FILES, *files}:
                    path = self.directory / release / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.symlink_to(BUILD / files.get(name, name))
            self.install(OLD)
            self.start_holder()
            self.start_bngsync()
            self.start_controld()
        except BaseException:
            self.close()
            raise

    def install(self, release):
        """As `make install` does."""
        sandbox.run([str(TOP / "packaging" / "install.sh"), str(self.directory / release), str(self.root), "/usr", "/etc", "/units"])

    def start_controld(self, *options, wait=True, through=()):
        """As its unit does."""
        self.write_config()
        installed = self.root / "usr/lib/bng"
        self.controld = self.start(
            self.gateway, *through, *AS_BNG, installed / "controld-start", self.root / "usr/sbin/bng-controld", "--config",
            self.config_file, "--state", self.state, "--object", installed / "bng.bpf.o", "--previous",
            installed / "previous/bng-controld", *options, log="controld.log")
        if wait:
            self.wait_daemon(self.controld, "controld", "status")

    def restart(self):
        assert self.stop(self.controld) == 0
        self.start_controld()

    def kill(self):
        self.controld.send_signal(signal.SIGKILL)
        self.reap(self.controld)

    def fails(self):
        """A start that ends; what it said."""
        begin = (self.directory / "controld.log").stat().st_size
        self.start_controld(wait=False)
        assert self.controld.wait(60) == 1
        self.processes.remove(self.controld)
        return (self.directory / "controld.log").read_bytes()[begin:].decode()

    def phase(self):
        return next(phase for phase in self.call("status")["start"]["phases"] if phase["name"] == "maps migrated")["detail"]

    def maps(self, member):
        return {entry["name"]: entry[member] for entry in self.call("holder.status", server="holder")["maps"]}

    def everything(self):
        return {"digest": self.digest(), "sessions": self.sessions(), "mappings": self.mappings(), "forwards": self.call("cgnat.forward.list")}

    def counters(self):
        """Of all sessions: what was counted of the meter's packets."""
        names = ("up_packets", "up_bytes", "down_packets", "down_bytes", "drop_packets")
        rows = self.call("session.list", {"limit": 5000})["sessions"]
        return {name: sum(row[name] for row in rows if row["interface"] == "access1") for name in names}

    def failures(self):
        """Starts in a row that did not get ready."""
        try:
            return json.loads((self.state / "control" / "start.json").read_text())["failures"]
        except (OSError, ValueError):
            return 0

    def runs(self, release, in_place=False):
        """This release, and nothing of the other one."""
        status = self.call("status")
        generations = self.call("issu.status")["generations"]
        current = next(entry for entry in generations if entry["generation"] == status["generation"])
        assert (status["version"], status["start"]["in_place"], current["bridge"]) == (release, in_place, False)
        assert self.maps("value_size")["subscriber"] == RECORD_BYTES[release]
        assert self.call("issu.status")["migrate_to"] is None
        assert [entry for entry in generations if entry["state"] == "staged"] == []
        return current["generation"]


@pytest.fixture(scope="module")
def lab():
    with LayoutLab() as lab:
        add_sessions(lab, SUBSCRIBERS)
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        lab.talker = udp_socket(lab.alice.namespace)
        with WhoCalled(lab.internet, INTERNET), Meter(lab, SUBSCRIBERS, FLOWS) as lab.meter:
            lab.meter.leave_time_to_others()
            assert lab.meter.prime()["up"]["lost"] == 0
            lab.public = ask(lab.talker, INTERNET)
            lab.before = lab.everything()
            assert lab.before["digest"]["sessions"]["count"] == SUBSCRIBERS + 2
            assert len(lab.before["forwards"]["forwards"]) == 1
            yield lab


class Load:
    """The meter's packets both ways while something is done; every one arrives, and is counted in its session."""

    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        self.counters, self.drops = self.lab.counters(), self.lab.drops()
        self.lab.meter.start("both", rate=RATE)

    def __exit__(self, kind, *exception):
        lab, report = self.lab, self.lab.meter.stop()
        if kind:
            return
        assert faults(report) == {}
        for way in ("up", "down"):
            assert report[way]["received"] == report[way]["sent"] > 0
            assert lab.counters()[f"{way}_packets"] == self.counters[f"{way}_packets"] + report[way]["sent"]
        assert lab.counters()["drop_packets"] == self.counters["drop_packets"]
        assert {name: count for name, count in lab.drops().items() if count < self.drops[name]} == {}
        assert ask(lab.talker, INTERNET) == lab.public
        assert lab.everything() == lab.before


def release_change(lab, to):
    """The report's line, and what is remembered of it."""
    lab.install(to)
    lab.restart()
    generation = lab.runs(to)
    detail = lab.phase()
    assert re.fullmatch(rf"generation {generation - 1}: 10 maps, \d+ entries; then .*/bng.bpf.o, generation {generation}", detail), detail
    record = wait_for("its record", lambda: next((record for record in lab.call("issu.history")["records"]
                                                  if record["to"] == generation), None))
    assert (record["kind"], record["name"]) == ("migration", "bng.bpf.o")
    migration = lab.call("issu.history", {"number": record["number"]})["records"][0]["report"]["migration"]
    assert migration["state"] == "done" and migration["moved"] == migration["entries"] > 0
    return migration


def test_without_a_bridge_nothing_is_touched(lab):
    """And what is missing is said; the older release goes on."""
    lab.install(NEW)
    (lab.root / "usr/lib/bng" / UP).unlink()
    status = lab.call("holder.status", server="holder")
    with Load(lab):
        assert lab.stop(lab.controld) == 0
        said = lab.fails()
        assert f"the maps have layout {LAYOUT}, this bng-controld knows {LAYOUT + 1}" in said and UP in said
        lab.install(OLD)
        lab.start_controld()
    after = lab.call("holder.status", server="holder")
    assert all(after[name] == status[name] for name in ("generation", "generations", "maps", "links"))
    lab.runs(OLD)


def test_to_another_layout_and_back(lab):
    sizes = lab.maps("max_entries")
    for release in (NEW, OLD):
        with Load(lab):
            migration = release_change(lab, release)
        changed = {entry["name"] for entry in migration["maps"]}
        assert {"subscriber", "port_block"} < changed
        assert lab.maps("max_entries") == sizes


def is_asked_for(lab):
    return (lab.state / "control" / "migrate.json").exists()


def moves(lab):
    migration = lab.call("swap.status", server="holder")["migration"] or {}
    return migration.get("moved", 0) > 0


@pytest.fixture(name="killed", scope="module")
def newer_release_killed_on_its_way(lab):
    """Twice, when each start is counted; its next start goes on."""
    with Load(lab):
        lab.install(NEW)
        assert lab.stop(lab.controld) == 0
        for count, moment in enumerate((is_asked_for, moves), 1):
            lab.start_controld(wait=False)
            wait_for(moment.__name__, lambda: lab.failures() == count and moment(lab),  # pylint: disable=cell-var-from-loop
                     interval=0.001)
            lab.kill()
        lab.start_controld()
    return lab


def test_the_newer_release_is_killed_on_its_way(killed):
    killed.runs(NEW)
    assert killed.call("status")["start"]["failed"]["failures"] == 2


def test_the_older_release_stands_in_for_a_newer_one_that_does_not_start(killed):
    """It goes back by the bridge that the newer one has brought."""
    lab = killed
    with Load(lab):
        assert lab.stop(lab.controld) == 0
        for count in (1, 2, 3):
            lab.start_controld(wait=False)
            wait_for(f"start {count}", lambda: lab.failures() == count)  # pylint: disable=cell-var-from-loop
            lab.kill()
        lab.start_controld()
    lab.runs(OLD, in_place=True)
    assert "PREVIOUS VERSION" in lab.cli("status").stdout
