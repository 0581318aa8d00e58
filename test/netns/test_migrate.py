# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A gateway whose maps grow while packets flow: asked for by bngcli, done by the next start of
# controld, ended by an upgrade to the ordinary object. Nothing is lost, nothing changes.
import shutil
import signal

import pytest

from lab import BUILD, INTERNET, Lab, default_config, wait_for
from meter import Meter, add_sessions, faults
from rpc import RpcClient, RpcError

SUBSCRIBERS, MORE, FLOWS, RATE = 200, 1000, 400, 20000
SMALL = {"subscribers": 256, "public_addresses": 16, "port_blocks": 2048, "exempt": 64, "pcp": 64, "flows": 1024}
LARGE = {"subscribers": 8192, "public_addresses": 32, "port_blocks": 4096, "exempt": 128, "pcp": 256, "flows": 1024}
GROWN = {"subscriber", "slot_of_address", "pppoe_session", "pool_address", "mapping", "port_block", "exempt", "exempt_port", "pcp",
         "closing"}


def small_config():
    config = default_config()
    config["sizes"] = dict(SMALL)
    config["dhcp4"]["pools"][0].update(prefix="10.0.0.0/27", last="10.0.0.30")
    return config


class MigrateLab(Lab):
    """A small gateway with every daemon and the meter's sessions."""

    def __init__(self):
        super().__init__(small_config())
        try:
            self.start_holder()
            self.start_bngsync()
            self.start_controld()
            add_sessions(self, SUBSCRIBERS)
        except BaseException:
            self.close()
            raise

    def resize(self, **sizes):
        """In the file; what runs refuses it for now."""
        self.config["sizes"].update(sizes)
        self.write_config()

    def ask(self, path):
        with self.rpc() as client, open(path, "rb") as file:
            return client.call("issu.migrate", {"name": path.name}, [file.fileno()])

    def entries(self):
        return {entry["name"]: entry["max_entries"] for entry in self.call("holder.status", server="holder")["maps"]}

    def staged(self):
        return [entry["generation"] for entry in self.call("issu.status")["generations"] if entry["state"] == "staged"]

    def restart(self):
        assert self.stop(self.controld) == 0
        self.start_controld()

    def phase(self, name="maps migrated"):
        return next(phase for phase in self.call("status")["start"]["phases"] if phase["name"] == name)["detail"]


@pytest.fixture(scope="module")
def lab():
    with MigrateLab() as lab:
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        yield lab


def refused(lab, path, code=-32003):
    """What was said against it; nothing is left of it."""
    before = lab.call("issu.status")
    with pytest.raises(RpcError) as caught:
        lab.ask(path)
    assert caught.value.code == code and "nothing was changed" in caught.value.message
    assert lab.call("issu.status") == before
    return caught.value.message


def test_what_cannot_be_is_refused_before_anything_happens(lab):
    lab.config["sizes"] = dict(SMALL)
    lab.write_config()
    assert "nothing to migrate" in refused(lab, lab.bridge)
    assert "no bridge: it has no map NAME__old" in refused(lab, lab.object)
    lab.resize(subscribers=255)
    assert "/sizes/subscribers: 255: 256 expected, as the running maps have: a map does not shrink" in refused(lab, lab.bridge)
    lab.resize(**dict(LARGE, flows=2048))
    assert "/sizes/flows: 2048: 1024 expected" in refused(lab, lab.bridge)
    lab.config["sizes"]["subscribers"] = "many"
    lab.write_config()
    assert "/sizes/subscribers" in refused(lab, lab.bridge, -32602)
    lab.config["sizes"] = dict(SMALL)
    lab.write_config()


def test_a_bridge_is_no_upgrade(lab):
    lab.resize(**LARGE)
    before = lab.call("issu.status")
    with lab.rpc() as client, open(lab.bridge, "rb") as file, pytest.raises(RpcError, match="bngcli issu migrate"):
        client.call("issu.upgrade", {"name": "bridge"}, [file.fileno()])
    said = lab.cli("issu", "plan", lab.bridge).stdout
    assert "PLAN: possible by issu migrate" in said and "256 -> 8192" in said.replace(",", "")
    assert lab.call("issu.status") == before


def test_a_reload_says_how_a_map_grows(lab):
    lab.resize(**LARGE)
    with pytest.raises(RpcError, match=r"/sizes/subscribers: 8192: must stay 256 while the gateway runs: .*bngcli issu migrate"):
        lab.call("config.reload")


def test_one_changes_ones_mind(lab):
    lab.resize(**LARGE)
    first = lab.ask(lab.bridge)
    moving = {entry["name"]: (entry["entries_old"], entry["entries_new"]) for entry in first["maps"] if entry["result"] == "migrate"}
    assert set(moving) == GROWN and moving["subscriber"] == (256, 8192) and moving["closing"] == (1, 17)
    assert lab.call("issu.status")["migrate_to"] == first["generation"] and lab.staged() == [first["generation"]]
    assert "the next start of bng-controld migrates to it" in lab.cli("issu", "status").stdout
    second = lab.ask(lab.bridge)["generation"]  # in its place
    assert lab.call("issu.status")["migrate_to"] == second and lab.staged() == [second]
    assert lab.cli("issu", "migrate", "cancel").stdout == f"Generation {second} is gone; nothing will be migrated.\n"
    assert lab.call("issu.status")["migrate_to"] is None and lab.staged() == []
    assert "no migration was asked for" in lab.cli("issu", "migrate", "cancel", check=False).stderr


def test_a_request_for_what_is_gone_is_forgotten(lab):
    lab.config["sizes"] = dict(SMALL)
    for text in ('{"generation": 4711}', '{"generation": "x"}', "no JSON"):
        (lab.state / "control" / "migrate.json").write_text(text)
        lab.restart()
        assert lab.phase() == "nothing to migrate" and lab.call("issu.status")["migrate_to"] is None
        assert lab.entries()["subscriber"] == SMALL["subscribers"]


def test_what_nobody_knows_the_end_of_is_not_tried_for_ever(lab):
    lab.resize(**LARGE)
    generation = lab.ask(lab.bridge)["generation"]
    (lab.state / "control" / "migrate.json").write_text(f'{{"generation": {generation}, "tries": 3}}')
    lab.restart()
    assert lab.phase() == f"generation {generation} refused: nobody knows what came of it, three times"
    assert lab.entries()["subscriber"] == SMALL["subscribers"] and lab.staged() == []


def test_what_another_version_wanted_for_its_layout_is_not_done(lab):
    lab.resize(**LARGE)
    generation = lab.ask(lab.bridge)["generation"]
    (lab.state / "control" / "migrate.json").write_text(f'{{"generation": {generation}, "tries": 1, "layout": 4711}}')
    lab.restart()
    assert lab.phase() == "nothing to migrate"
    assert f"generation {generation} was to be migrated to, and is for another version" in lab.log("controld")
    assert lab.entries()["subscriber"] == SMALL["subscribers"] and lab.staged() == [] and lab.call("issu.status")["migrate_to"] is None


def test_what_the_holder_refuses_is_told_and_the_start_goes_on(lab):
    before, people = lab.digest(), lab.sessions()
    lab.resize(**LARGE)
    generation = lab.ask(lab.bridge)["generation"]
    lab.cli("issu", "upgrade", lab.object, "--confirm", "1h", "--no-verify")  # a trial: no other commit meanwhile
    lab.restart()
    assert lab.phase().startswith(f"generation {generation} refused: ")
    assert "The maps stay as they are" in lab.log("controld")
    assert lab.entries()["subscriber"] == SMALL["subscribers"]
    assert lab.call("issu.status")["migrate_to"] is None and lab.staged() == []
    assert lab.digest() == before and lab.sessions() == people
    record = wait_for("its record", lambda: next((record for record in lab.call("issu.history")["records"]
                                                  if record["kind"] == "migration" and record["to"] == generation), None))
    assert record["outcome"] == "refused" and "trial" in record["detail"]
    lab.cli("issu", "confirm")


def check_load(meter):
    report = meter.stop()
    assert faults(report) == {}
    assert report["up"]["received"] == report["up"]["sent"] > 0
    assert report["down"]["received"] == report["down"]["sent"] > 0


def test_a_gateway_grows_under_load(lab):
    lab.resize(**LARGE)
    with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
        assert meter.prime()["up"]["lost"] == 0
        public = lab.mappings()
        before, people, counters = lab.digest(), lab.sessions(), lab.drops()
        with pytest.raises(RpcError):
            lab.call("session.add", {"sessions": [dict(address=f"10.129.0.{n}", mac=f"02:02:00:00:00:{n:02x}", interface="access1")
                                                  for n in range(1, 100)]})
        meter.start("both", rate=RATE)
        said = lab.cli("issu", "migrate", lab.bridge).stdout
        assert "256 -> 8192" in said.replace(",", "") and "MIGRATE: begins with the next start of bng-controld" in said
        generation = lab.call("issu.status")["migrate_to"]
        lab.restart()
        assert lab.phase().startswith(f"generation {generation}: {len(GROWN)} maps, ")
        check_load(meter)
        assert lab.digest() == before and lab.sessions() == people and lab.mappings() == public
        assert {name: count for name, count in lab.drops().items() if count < counters[name]} == {}
        status = lab.call("issu.status")
        migration = status["migration"]
        assert (status["current"], migration["generation"], migration["state"]) == (generation, generation, "done")
        assert migration["moved"] == migration["entries"] > 0 and migration["reason"] == ""
        grown = {entry["name"]: (entry["entries_old"], entry["entries_new"]) for entry in migration["maps"]}
        assert grown["subscriber"] == (256, 8192) and grown["port_block"] == (2048, 4096)
        assert lab.entries()["subscriber"] == 8192 and lab.entries()["slot_of_address"] == 8192

        meter.start("both", rate=RATE)
        add_sessions_beyond(lab)
        verified = lab.cli_json("issu", "verify", "--seconds", "1")
        assert verified["hitless"] is True and verified["traffic"]["lost"] == 0
        check_upgrade_to_the_ordinary_object(lab, generation)
        check_load(meter)
        assert lab.mappings() == public


def add_sessions_beyond(lab):
    """More than there was room for, and one that comes up by itself, with traffic of its own."""
    before = lab.call("status")["sessions"]
    lab.call("session.add", {"sessions": [dict(address=f"10.129.{n // 250}.{n % 250 + 1}", mac=f"02:02:00:00:{n // 256:02x}:{n % 256:02x}",
                                               interface="access1") for n in range(MORE)]})
    after = lab.call("status")["sessions"]
    assert after["active"] == before["active"] + MORE > SMALL["subscribers"] and after["capacity"] == LARGE["subscribers"] - 1
    bob = lab.client("bob", "02:00:00:00:00:0b")
    bob.start_dhcp()
    bob.wait_bound()
    assert bob.ping(INTERNET, 3) == 3 and lab.alice.ping(INTERNET, 3) == 3


def check_upgrade_to_the_ordinary_object(lab, bridge):
    assert f"Generation {bridge} is a bridge: it has moved every entry" in lab.cli("issu", "status").stdout
    assert "bridge" in lab.cli("status").stdout
    before = lab.digest()
    with lab.rpc() as client, open(lab.object, "rb") as file:
        report = client.call("issu.upgrade", {"name": "ordinary"}, [file.fileno()])
    assert report["hitless"] is True, report["lost"]
    assert report["digest"] == {"before": before, "after": before}
    status = lab.call("issu.status")
    assert status["migration"] is None and {entry["generation"]: entry["bridge"] for entry in status["generations"]}[bridge] is True
    records = lab.call("issu.history")["records"]
    assert [record["kind"] for record in records][-2:] == ["migration", "upgrade"]
    assert "subscriber" in lab.cli("issu", "history", records[-2]["number"]).stdout
    with pytest.raises(RpcError, match="was migrated"):
        lab.call("issu.rollback", {"generation": next(entry["generation"] for entry in status["generations"]
                                                      if not entry["bridge"] and entry["state"] == "kept")})


def controller_phase(lab, generation):
    with RpcClient(lab.socket_path("holder"), 20) as holder:
        return holder.call("holder.status")["controller"]["phase"] not in ("", *BEFORE)


def moves(lab, generation):
    with RpcClient(lab.socket_path("holder"), 20) as holder:
        migration = holder.call("swap.status")["migration"] or {}
    return migration.get("generation") == generation and migration["moved"] > 0


BEFORE = ("configuration read", "holder greeted", "object loaded")
MOMENTS = {"as the phase begins": controller_phase, "while entries move": moves}


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda name: name.replace(" ", "-"))
def test_controld_is_killed_while_it_migrates(lab, moment):
    """The second time from a bridge to a bridge."""
    with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
        assert meter.prime()["up"]["lost"] == 0
        before, people = lab.digest(), lab.sessions()
        entries = 2 * lab.entries()["subscriber"]
        lab.resize(subscribers=entries)
        generation = lab.ask(lab.bridge)["generation"]
        meter.start("both", rate=RATE)
        lab.controld.kill()
        lab.reap(lab.controld)
        lab.start_controld(wait=False)
        wait_for(moment, lambda: MOMENTS[moment](lab, generation), interval=0.001)
        lab.controld.send_signal(signal.SIGKILL)
        lab.reap(lab.controld)
        lab.start_controld()
        status = lab.call("issu.status")
        assert status["current"] == generation and status["migration"]["state"] == "done" and status["migrate_to"] is None
        assert lab.digest() == before and lab.sessions() == people
        assert lab.entries()["subscriber"] == entries
        check_load(meter)
        assert lab.cli_json("issu", "verify", "--seconds", "1")["hitless"] is True


def test_the_holder_dies_before_the_opening(lab):
    """Nobody answers what was asked for: it is asked for again by the next start, and not forgotten."""
    before, people = lab.digest(), lab.sessions()
    entries = 2 * lab.entries()["subscriber"]
    lab.resize(subscribers=entries)
    generation = lab.ask(lab.bridge)["generation"]
    for daemon in (lab.controld, lab.holder):
        daemon.kill()
        lab.reap(daemon)
    lab.start_holder({"BNG_HOLDER_DIE_AT": "migrate_open"})
    lab.start_controld(wait=False)
    for daemon in (lab.holder, lab.controld):
        lab.reap(daemon)
    assert (lab.holder.returncode, lab.controld.returncode) == (-signal.SIGKILL, 1)
    lab.start_holder()
    lab.start_controld()
    assert lab.phase().startswith(f"generation {generation}: ")
    status = lab.call("issu.status")
    assert status["current"] == generation and status["migration"]["state"] == "done" and status["migrate_to"] is None
    assert lab.digest() == before and lab.sessions() == people
    assert lab.entries()["subscriber"] == entries


def test_a_bridge_that_loses_something_is_found_out(lab):
    """The last one: the gateway stays on this bridge."""
    lossy = lab.directory / "bridge_lossy.bpf.o"
    shutil.copy(BUILD / "bpf" / lossy.name, lossy)
    assert lab.alice.ping(INTERNET, 3) == 3
    people, public = lab.sessions(), lab.mappings()
    lab.resize(subscribers=2 * lab.entries()["subscriber"])
    generation = lab.ask(lossy)["generation"]
    lab.restart()
    assert "WITH A DIFFERENCE" in lab.phase() and "what was moved and what was there differ" in lab.log("controld")
    migration = lab.call("issu.status")["migration"]
    assert (migration["generation"], migration["state"]) == (generation, "failed") and migration["moved"] == migration["entries"]
    assert "MIGRATION FAILED" in lab.cli("status").stdout and "FOUND A DIFFERENCE" in lab.cli("issu", "status").stdout
    assert lab.sessions() == people and lab.mappings() == public and lab.alice.ping(INTERNET, 3) == 3
    with lab.rpc() as client, open(lab.object, "rb") as file, pytest.raises(RpcError, match="has not moved everything"):
        client.call("issu.upgrade", {"name": "ordinary"}, [file.fileno()])
    assert lab.call("issu.status")["current"] == generation
    lab.resize(subscribers=2 * lab.entries()["subscriber"])
    another = lab.ask(lab.bridge)["generation"]  # may be asked for, and is refused: nothing follows this one
    lab.restart()
    assert f"generation {another} refused: " in lab.phase() and "another bridge has not moved everything yet" in lab.phase()
    assert lab.call("issu.status")["migrate_to"] is None and lab.staged() == []
    lab.holder.kill()
    lab.reap(lab.holder)
    lab.start_holder()  # looks once more
    again = wait_for("the check", lambda: (lambda found: found if found["state"] != "moving" else None)(
        lab.call("swap.status", server="holder")["migration"]))
    assert (again["state"], again["reason"]) == ("failed", migration["reason"])
