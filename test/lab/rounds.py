# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A gateway under load whose processes are killed while its data plane is swapped, and
# what must hold after each such round, whatever was killed and when.
import pathlib
import signal

import accounting
import sandbox
from lab import Lab, wait_for
from meter import Meter, add_sessions, faults
from rpc import RpcClient, RpcError

SUBSCRIBERS, FLOWS, RATE = 50, 200, 20000
DAEMONS = ("holder", "controld", "bngsync")


class RoundsLab(Lab):
    """The lab with every daemon, a second object, and perhaps FreeRADIUS, which accounts the meter's sessions."""

    def __init__(self, accounted=False):
        super().__init__()
        self.config["issu"]["verify"]["enabled"] = True  # of upgrades that do not say no_verify: they take their time
        self.accounted = accounted
        if accounted:
            accounting.prepare(self)
        self.start_holder()
        self.start_bngsync()
        self.start_controld()
        self.ids = [f"{number:016x}" for number in add_sessions(self, SUBSCRIBERS)["ids"]]
        self.objects = [self.second_build(), self.object]

    def kill(self, name, how=signal.SIGKILL):
        process = getattr(self, name)
        if process.poll() is None:
            process.send_signal(how)
        self.reap(process)

    def is_dead(self, name):
        return getattr(self, name).poll() is not None

    def revive(self):
        """Whoever is dead is started; the holder first, as systemd orders it. It may die at its step meanwhile."""
        def all_there():
            for name in DAEMONS:
                process = getattr(self, name)
                if process.poll() is None:
                    continue
                if process in self.processes:
                    self.processes.remove(process)
                getattr(self, f"start_{name}")()
            return self.call("status")["holder"]["pid"] == self.holder.pid
        wait_for("controld to be with the holder", all_there)

    def holder_dies_at(self, step):
        """A holder in place of the one that runs, which dies just before this step."""
        self.kill("holder")
        self.start_holder({"BNG_HOLDER_DIE_AT": step})
        wait_for("controld to be with the holder", lambda: self.call("status")["holder"]["pid"] == self.holder.pid)

    def upgrade(self, path, **params):
        """True when it was answered; False when somebody died before, or refused because somebody had."""
        try:
            with RpcClient(self.socket_path("controld"), 60) as client, open(path, "rb") as file:
                client.call("issu.upgrade", {"name": path.name, "no_verify": True, **params}, [file.fileno()])
        except (OSError, ConnectionError, RpcError) as error:
            self.refusal = error
            return False
        return True

    def swap(self):
        """From one of the two generations that ran last to the other, without controld; as `upgrade`."""
        try:
            self.call("swap.rollback", server="holder")
        except (OSError, ConnectionError, RpcError) as error:
            self.refusal = error
            return False
        return True

    def devices(self):
        """All but those that a swap parks programs on, which stay for the next one."""
        names = sandbox.run(["ip", "-n", self.gateway, "-br", "link"]).stdout.split("\n")
        return sorted(line.split()[0].split("@")[0] for line in names if line and not line.startswith("bngpark"))


class Unharmed:
    """What was there when it was made must be there at every check."""

    def __init__(self, lab):
        self.lab = lab
        self.meter = Meter(lab, SUBSCRIBERS, FLOWS)
        assert self.meter.prime()["up"]["lost"] == 0
        self.digest, self.programs = lab.digest(), lab.programs()
        self.devices, self.counters = lab.devices(), lab.drops()
        self.packets = self.rounds = 0
        self.gap_us, self.is_loaded = 0.0, False
        if lab.accounted:
            wait_for("the Starts", lambda: accounting.all_are(lab, lab.ids, ["Start"]))

    def load(self):
        if self.is_loaded:  # the round before failed: what it lost is its own
            self.meter.stop()
        self.meter.start("both", rate=RATE)
        self.is_loaded = True

    def check_links_in_between(self):
        """With whoever dead: every interface runs a program. Returns which."""
        running = {name: program for name, program in self.lab.programs().items() if not name.startswith("bngpark")}
        assert set(running) == set(self.programs), running
        return running

    def check(self):
        """Everybody is alive again."""
        lab = self.lab
        report = self.meter.stop()
        self.is_loaded = False
        assert faults(report) == {}
        assert report["up"]["received"] == report["up"]["sent"] > 0
        assert report["down"]["received"] == report["down"]["sent"] > 0
        status = wait_for("an idle journal", self.idle_status)
        current = status["generation"]
        assert {link["generation"] for link in status["links"]} == {current}
        assert {link["state"] for link in status["links"]} == {"attached"}
        ids = {program["id"] for entry in status["generations"] if entry["generation"] == current
               for program in entry["programs"]}
        assert set(lab.programs()) == set(self.programs) and set(lab.programs().values()) <= ids
        self.check_pins(status)
        assert lab.digest() == self.digest
        counters = lab.drops()
        assert {name: count for name, count in counters.items() if count < self.counters[name]} == {}
        self.counters = counters
        assert lab.devices() == self.devices
        if lab.accounted:
            assert accounting.all_are(lab, lab.ids, ["Start"]), accounting.kinds(lab, *lab.ids)
        self.packets += report["up"]["received"] + report["down"]["received"]
        self.gap_us = max(self.gap_us, report["up"]["longest_gap_us"], report["down"]["longest_gap_us"])
        self.rounds += 1

    def idle_status(self):
        with self.lab.rpc("holder") as holder:
            idle = holder.call("swap.status")["journal"]["step"] == "idle"
            return holder.call("holder.status") if idle else None

    def check_pins(self, status):
        """No pin and no file but those of the generations, links and maps that the holder lists."""
        pins = self.lab.state / "bpf"
        known = {str(entry["generation"]) for entry in status["generations"]}
        assert {path.name for path in (pins / "gen").iterdir()} == known
        assert {path.name for path in (pins / "if").iterdir()} == {link["interface"] for link in status["links"]}
        assert {path.name for path in (pins / "map").iterdir()} == {entry["name"] for entry in status["maps"]}
        objects = pathlib.Path(self.lab.state / "objects")
        if objects.is_dir():
            assert {path.name for path in objects.iterdir()} == known

    def close(self):
        self.meter.close()

    def proof(self, what):
        return (f"\n{what}: {self.packets} packets sent = received, longest gap {self.gap_us / 1000:.1f} ms; links, pins, "
                f"digest, counters{', accounting' if self.lab.accounted else ''} as they should be {self.rounds} times")
