# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bng-controld on the real holder and data plane: what its RPC does and refuses,
# what a reload changes, and what it does when the holder goes away.
import json
import os
import signal
import subprocess
import time

import pytest

from lab import AS_BNG, GATEWAY, INTERNET, Lab, default_config, wait_for
from rpc import RpcError

INVALID_PARAMS, NOT_FOUND, CONFLICT = -32602, -32002, -32003


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_daemons()
        yield lab


def disconnect_all(lab):
    with lab.rpc() as client:
        while True:
            page = client.call("session.list", {"filter": {"state": "active"}, "limit": 10000})["sessions"]
            for session in page:
                client.call("session.disconnect", {"id": session["id"]})
            if not page:
                return


@pytest.fixture
def clean(lab):
    """No session is left by an earlier test, and the configuration is the lab's own."""
    disconnect_all(lab)
    lab.config = default_config()
    lab.write_config()
    lab.call("config.reload")
    wait_for("the sweep to release every session", lambda: lab.call("status")["sessions"] == {
        "active": 0, "closing": 0, "capacity": 131071})
    return lab


def new_session(number, **more):
    return dict({"address": f"10.0.{number >> 8}.{number & 255}", "interface": "access0",
                 "mac": f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"}, **more)


def refused(lab, method, params):
    with pytest.raises(RpcError) as caught:
        lab.call(method, params)
    return caught.value


# ---- privileges ---------------------------------------------------------------

def test_it_runs_without_any_privilege(lab):
    status = dict(line.split(":\t", 1) for line in
                  open(f"/proc/{lab.controld.pid}/status", encoding="ascii").read().splitlines() if ":\t" in line)
    assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert "0" not in status["Uid"].split() and status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("wrapper", [
    [], ["setpriv", "--reuid=bng", "--regid=bng", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin"],
], ids=["root", "capability"])
def test_it_refuses_privileges(lab, wrapper):
    result = subprocess.run([*wrapper, lab.directory / "bng-controld", "--config", lab.config_file, "--state", lab.state],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "started with privileges" in result.stderr


# ---- sessions -----------------------------------------------------------------

def test_sessions_are_added_found_and_ended(clean):
    lab = clean
    reply = lab.call("session.add", {"sessions": [
        new_session(20), new_session(21, outer_vid=100, inner_vid=7, outer_tpid="802.1ad", max_blocks=2),
        dict(new_session(22), address="172.16.0.1", pool="")]})
    assert reply["added"] == 3 and len(set(reply["ids"])) == 3
    tagged = lab.call("session.show", {"address": "10.0.0.21"})
    assert (tagged["outer_vid"], tagged["inner_vid"], tagged["outer_tpid"], tagged["inner_tpid"]) == (100, 7, "802.1ad",
                                                                                                    "802.1Q")
    assert (tagged["kind"], tagged["state"], tagged["max_blocks"], tagged["pool"]) == ("added", "active", 2, "default")
    assert tagged["blocks"] == [] and tagged["id"] == reply["ids"][1]
    outside = lab.call("session.show", {"id": reply["ids"][2]})
    assert outside["exempt"] is True and outside["pool"] == "" and outside["public"] is None
    assert lab.call("session.disconnect", {"address": "10.0.0.21"}) == {"id": reply["ids"][1], "address": "10.0.0.21"}
    assert refused(lab, "session.show", {"id": reply["ids"][1]}).code == NOT_FOUND
    assert refused(lab, "session.disconnect", {"address": "10.0.0.21"}).code == NOT_FOUND


def test_sessions_are_listed_by_page_and_filter(clean):
    lab = clean
    lab.call("session.add", {"sessions": [new_session(100 + i, outer_vid=1 + i % 3) for i in range(100)]})
    with lab.rpc() as client:
        found, after, pages = [], 0, 0
        while after is not None:
            reply = client.call("session.list", {"limit": 30, "after": after})
            found += reply["sessions"]
            after, pages = reply.get("next"), pages + 1
        assert sorted(session["address"] for session in found) == sorted(f"10.0.0.{100 + i}" for i in range(100))
        assert pages == 4

        def count(**filters):
            return len(client.call("session.list", {"filter": filters})["sessions"])
        assert count(vlan=1) == 34 and count(vlan=2) == 33 and count(vlan=9) == 0
        assert count(address="10.0.0.117") == 1 and count(mac="02:00:00:01:00:75") == 1
        assert count(interface="access0") == 100 and count(interface="access1") == 0 and count(interface="none") == 0
        assert count(state="active") == 100 and count(state="closing") == 0


@pytest.mark.parametrize("second, code, text", [
    (dict(new_session(30), address="10.0.0.31"), CONFLICT, "/sessions/1: adding the session failed: its interface, VLANs"),
    (dict(new_session(31), address="10.0.0.30"), CONFLICT, "/sessions/1: adding the session failed: its address"),
    (dict(new_session(31), address=GATEWAY), INVALID_PARAMS, "/sessions/1/address: \"10.0.0.1\": is an address of the gateway"),
    (dict(new_session(31), address="203.0.113.1"), INVALID_PARAMS, "lies in a prefix of a CGNAT pool"),
    (dict(new_session(31), interface="core0"), INVALID_PARAMS, "/sessions/1/interface: \"core0\": must be the name of an acc"),
    (dict(new_session(31), pool="none"), INVALID_PARAMS, "/sessions/1/pool: \"none\""),
    (dict(new_session(31), inner_vid=3), INVALID_PARAMS, "/sessions/1/inner_vid: 3: needs an outer_vid"),
    (dict(new_session(31), extra=3), INVALID_PARAMS, "/sessions/1/extra"),
    ({"address": "10.0.0.31", "interface": "access0"}, INVALID_PARAMS, "/sessions/1/mac: missing"),
    ("text", INVALID_PARAMS, "/sessions/1: \"text\": must be an object"),
])
def test_none_is_added_when_one_cannot_be(clean, second, code, text):
    error = refused(clean, "session.add", {"sessions": [new_session(30), second]})
    assert error.code == code and text in error.message
    assert clean.call("status")["sessions"]["active"] == 0
    assert clean.call("session.add", {"sessions": [new_session(30)]})["added"] == 1


def test_a_hundred_thousand_sessions_in_one_call():
    sessions = [{"address": f"100.{64 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", "interface": "access0",
                 "mac": f"02:00:{i >> 24:02x}:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x}"}
                for i in range(100000)]
    config = default_config()
    config["dhcp4"]["pools"] = []  # outside all ranges: the most work for each
    with Lab(config) as lab:
        lab.start_daemons()
        with lab.rpc() as client:
            assert client.call("session.add", {"sessions": sessions})["added"] == 100000
            assert client.call("session.show", {"address": "100.65.134.159"})["mac"] == "02:00:00:01:86:9f"
        assert refused(lab, "session.add", {"sessions": [sessions[0]]}).code == CONFLICT
        before = lab.call("cgnat.digest")["sessions"]
        lab.stop(lab.controld)
        lab.start_controld()
        start = lab.call("status")["start"]
        assert lab.call("cgnat.digest")["sessions"] == before
    assert start["adopted"]["sessions"] == 100000


# ---- what is no request ---------------------------------------------------------

@pytest.mark.parametrize("method, params", [
    ("status", {"x": 1}), ("status", [1]), ("session.list", {"limit": 0}), ("session.list", {"limit": 10001}),
    ("session.list", {"filter": []}), ("session.list", {"filter": {"colour": "red"}}),
    ("session.list", {"filter": {"address": "10.0.0"}}), ("session.list", {"filter": {"mac": "02:00"}}),
    ("session.list", {"filter": {"state": "asleep"}}), ("session.list", {"after": -1}),
    ("session.show", {}), ("session.show", {"id": 1, "address": "10.0.0.1"}), ("session.show", {"id": "one"}),
    ("session.add", {}), ("session.add", {"sessions": {}}), ("session.disconnect", {"id": 0}),
    ("cgnat.blocks", {"filter": {"protocol": 7}}), ("cgnat.mappings", {"filter": {"protocol": "sctp"}}),
    ("cgnat.mappings", {"limit": 1 << 40}), ("config.check", {}), ("config.check", {"text": "{}", "file": "/x"}),
    ("issu.upgrade", {"name": "no descriptor"}), ("issu.upgrade", {}), ("issu.rollback", {"generation": 0}),
    ("events.follow", {"since": 1}), ("drops", {"all": True}), ("maps", ["x"]), ("interfaces", {"name": "x"}),
])
def test_wrong_params_are_refused_by_name(lab, method, params):
    assert refused(lab, method, params).code == INVALID_PARAMS


# ---- events -----------------------------------------------------------------------

def test_events_are_followed(clean):
    lab = clean
    erin = lab.client("erin", "02:00:00:00:00:0e")
    erin.start_dhcp()
    erin.wait_bound()
    with lab.rpc() as follower:
        assert follower.call("events.follow") == {}
        assert erin.ping(INTERNET) == 3
        wait_for("the event", lambda: follower.call("status")["mappings"] >= 1 and follower.notifications)
        events = [note["params"] for note in follower.notifications if note["method"] == "event"]
    assert [event["type"] for event in events] == ["block_allocated"]
    block = lab.call("cgnat.blocks", {"filter": {"address": erin.address}})["blocks"][0]
    assert {name: events[0][name] for name in ("address", "public", "first", "last", "session", "pool")} == {
        "address": erin.address, "public": block["public"], "first": block["first"], "last": block["last"],
        "session": block["session"], "pool": "default"}
    erin.dhcp_process.terminate()
    lab.reap(erin.dhcp_process)


# ---- reload -----------------------------------------------------------------------

def running(lab):
    return lab.call("config.show")


def test_reload_by_rpc_says_what_changed(clean):
    lab = clean
    assert lab.call("config.reload") == {"changed": False, "applied": []}
    lab.config["cgnat"]["hold_down_seconds"] = 60
    assert lab.reload() == {"changed": True, "applied": ["/cgnat/hold_down_seconds: 120 -> 60"]}


@pytest.mark.parametrize("how", ["file", "hangup"])
def test_reload_without_being_asked_by_rpc(clean, how):
    lab = clean
    if how == "file":
        lab.config["punt"] = {"dhcp4_rate": 1234}
        lab.write_config()
    else:
        # Written in place, and told at once: the file's own notice comes 100 ms later.
        lab.config_file.write_text(json.dumps(dict(lab.config, punt={"dhcp4_rate": 1234})))
        os.kill(lab.controld.pid, signal.SIGHUP)
    wait_for("the new rate", lambda: running(lab)["punt"]["dhcp4_rate"] == 1234)


@pytest.mark.parametrize("change, text", [
    (lambda config: config["sizes"].update(subscribers=70000), "/sizes/subscribers: 70000: must stay 131072"),
    (lambda config: config["sizes"].update(pcp=128), "/sizes/pcp: 128: must stay 65536"),
    (lambda config: config["interfaces"][2].update(role="access"), "/interfaces/2: role and mode of core0 cannot change"),
    (lambda config: config["interfaces"].append({"name": "nothere", "role": "core"}), "/interfaces/4/name: \"nothere\""),
    (lambda config: config["dhcp4"]["pools"][0].update(router="10.0.0.2"), "/dhcp4/pools/0/router: \"10.0.0.2\""),
    (lambda config: config["cgnat"]["pools"][0].update(block_size=100), "/cgnat/pools/0/block_size: 100"),
    (lambda config: config.update(unknown=1), "/unknown"),
], ids=["size", "size of PCP", "role", "device", "router", "block", "member"])
def test_a_wrong_file_changes_nothing(clean, change, text):
    lab = clean
    before = running(lab)
    change(lab.config)
    lab.config["cgnat"]["hold_down_seconds"] = 1
    lab.write_config()
    error = refused(lab, "config.reload", None)
    assert text in error.message and "the running configuration stays" in error.message
    assert running(lab) == before
    if "/sizes" in text or "/interfaces" in text:
        check = lab.call("config.check", {"text": json.dumps(lab.config)})
        assert check["live"] is False and text in check["detail"]


def test_a_prefix_is_taken_out_and_drains(clean):
    lab = clean
    fred = lab.client("fred", "02:00:00:00:00:0f")
    fred.start_dhcp()
    fred.wait_bound()
    assert fred.ping(INTERNET) == 3
    public = lab.call("cgnat.blocks", {"filter": {"address": fred.address}})["blocks"][0]["public"]
    lab.config["cgnat"]["pools"][0]["prefixes"] = ["203.0.113.128/28"]
    lab.write_config()
    lab.call("config.reload")
    addresses = {entry["address"]: entry for entry in lab.call("cgnat.pools")["pools"][0]["addresses"]}
    assert addresses[public]["enabled"] is False and addresses["203.0.113.128"]["enabled"] is True
    assert fred.ping(INTERNET) == 3  # what is mapped goes on
    assert lab.call("cgnat.mappings", {"filter": {"public": public}})["total"] >= 1

    def draining():
        return [entry for entry in lab.call("cgnat.pools")["pools"][0]["addresses"] if not entry["enabled"]]
    # Blocks of earlier tests may be held down on another one.
    wait_for("the unused addresses to go", lambda: all(entry["allocated"] or entry["held"] for entry in draining()))
    assert 1 <= len(draining()) < 16 and public in [entry["address"] for entry in draining()]
    fred.dhcp_process.terminate()
    lab.reap(fred.dhcp_process)


def test_static_sessions_come_and_go_with_the_file(clean):
    lab = clean
    lab.config["sessions"] = [dict(new_session(50), outer_vid=5), dict(new_session(51), address="172.16.9.9", nat_pool="")]
    lab.write_config()
    lab.call("config.reload")
    first = lab.call("session.show", {"address": "10.0.0.50"})
    assert (first["kind"], first["outer_vid"]) == ("static", 5)
    lab.config["sessions"][0]["max_mappings"] = 9
    lab.config["sessions"].pop()
    lab.write_config()
    lab.call("config.reload")
    same = lab.call("session.show", {"address": "10.0.0.50"})
    assert (same["id"], same["max_mappings"]) == (first["id"], 9)
    assert refused(lab, "session.show", {"address": "172.16.9.9"}).code == NOT_FOUND


def interfaces(lab):
    return {entry["name"]: entry for entry in lab.call("interfaces")["interfaces"]}


def test_an_interface_is_taken_out_and_comes_back(clean):
    lab = clean
    before = interfaces(lab)
    lab.config["interfaces"] = [entry for entry in lab.config["interfaces"] if entry["name"] != "access1"]
    lab.config["gateways"] = [entry for entry in lab.config["gateways"] if entry["interface"] != "access1"]
    lab.write_config()
    lab.call("config.reload")
    assert "access1" not in interfaces(lab)
    assert {entry["name"]: entry["used"] for entry in lab.call("maps")["maps"]}["interface_of_ifindex"] == 4
    lab.config = default_config()
    lab.write_config()
    lab.call("config.reload")
    assert interfaces(lab)["access1"]["index"] == before["access1"]["index"]
    assert interfaces(lab)["access0"]["index"] == before["access0"]["index"]


def test_an_interface_with_sessions_stays(clean):
    lab = clean
    lab.call("session.add", {"sessions": [new_session(40)]})
    lab.config["interfaces"] = lab.config["interfaces"][1:]
    lab.config["gateways"] = lab.config["gateways"][1:]
    lab.config["dhcp4"]["pools"] = []
    lab.write_config()
    assert "access0 cannot be taken out: it has 1 sessions" in refused(lab, "config.reload", None).message


def test_a_device_that_was_made_anew_is_taken_back(clean):
    lab = clean
    index, old = interfaces(lab)["core1"]["index"], interfaces(lab)["core1"]["ifindex"]
    lab.ip(lab.gateway, "link delete core1")
    wait_for("the loss to be seen", lambda: interfaces(lab)["core1"]["state"] == "missing")
    lab.veth(lab.gateway, "core1", lab.load, "down0")
    found = wait_for("the new device", lambda: (lambda entry: entry if entry["program_id"] else None)(
        interfaces(lab)["core1"]) if lab.programs().get("core1") else None)
    assert found["index"] == index and found["ifindex"] != old and found["state"] == "up"


# ---- the holder goes away ------------------------------------------------------------

def test_it_outlives_the_holder(clean):
    lab = clean
    lab.call("session.add", {"sessions": [new_session(60)]})
    before = lab.sessions()
    lab.holder.kill()
    lab.reap(lab.holder)
    status = wait_for("controld to notice", lambda: (lambda s: s if not s["holder"]["connected"] else None)(
        lab.call("status")))
    assert status["generation"] is None and status["programs"] is None
    assert refused(lab, "issu.status", None).code == -32007
    lab.call("session.add", {"sessions": [new_session(61)]})  # needs no holder
    lab.start_holder()
    wait_for("controld to be back", lambda: lab.call("status")["holder"] == {"pid": lab.holder.pid, "connected": True})
    wait_for("the descriptors", lambda: {"controld.listener", "controld.punt"} <= set(lab.call("fd.list", server="holder")["names"]))
    controller = wait_for("it to be ready", lambda: (lambda found: found if found["ready"] else None)(
        lab.call("holder.status", server="holder")["controller"]))
    assert controller["pid"] == lab.controld.pid
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    phases = {phase["name"]: phase["detail"] for phase in lab.call("status")["start"]["phases"]}
    assert phases["descriptors taken"] == "control socket taken, punt socket taken"
    assert set(lab.sessions()) > set(before)


def test_a_holder_that_hangs_does_not_hang_it(clean):
    lab = clean
    gina = lab.client("gina", "02:00:00:00:00:10")
    os.kill(lab.holder.pid, signal.SIGSTOP)
    try:
        with pytest.raises(RpcError):
            lab.call("issu.status")  # the call that finds out
        gina.start_dhcp()
        gina.wait_bound()
        answered = []
        for _ in range(20):
            begun = time.monotonic()
            assert lab.call("session.show", {"address": gina.address})["state"] == "active"
            answered.append(time.monotonic() - begun)
            time.sleep(0.1)
        assert sorted(answered)[len(answered) // 2] < 1, answered  # whoever waits for it answers nobody in between
    finally:
        os.kill(lab.holder.pid, signal.SIGCONT)
    wait_for("controld to be back", lambda: lab.call("status")["holder"]["connected"])
    gina.dhcp_process.terminate()
    lab.reap(gina.dhcp_process)


def test_a_caller_waits_over_a_restart(clean):
    """A client that connects while nobody is there is served by the next controld."""
    lab = clean
    lab.controld.kill()
    lab.reap(lab.controld)
    with lab.rpc() as early:
        early.socket.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "status"}\n')
        lab.start_controld()
        assert early._read_line()["result"]["pid"] == lab.controld.pid


def test_who_gave_up_waiting_is_not_served_by_the_next_start(clean):
    lab = clean
    (number,) = lab.call("session.add", {"sessions": [new_session(71)]})["ids"]
    lab.controld.kill()
    lab.reap(lab.controld)
    result = lab.cli("--timeout", "4", "session", "disconnect", number, check=False)
    assert result.returncode == 3
    told, failed = result.stderr.splitlines()
    assert "bng-controld has not answered yet; waiting for up to 4 s" in told and "no answer from" in failed
    lab.start_controld()
    assert lab.call("session.show", {"id": number})["state"] == "active"


# ---- starting -----------------------------------------------------------------------

def start_once(lab, *arguments):
    """Runs a controld that is expected to end by itself."""
    command = [*AS_BNG, lab.directory / "bng-controld", "--state", lab.state, *arguments]
    return lab.run(lab.gateway, *command, check=False, timeout=60)


def test_check_says_good_or_where_not(lab, tmp_path):
    lab.write_config()
    assert lab.run(lab.gateway, lab.directory / "bng-controld", "--check", lab.config_file).returncode == 0
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"interfaces": [{"name": "a", "role": "b"}]}')
    result = lab.run(lab.gateway, lab.directory / "bng-controld", "--check", wrong, check=False)
    assert result.returncode == 1 and "/interfaces/0/role" in result.stderr


def test_a_start_that_cannot_be_says_why_and_takes_nothing(clean):
    lab = clean
    programs = lab.programs()
    lab.stop(lab.controld)
    lab.config["interfaces"].append({"name": "nothere", "role": "core"})
    lab.write_config()
    result = start_once(lab, "--config", lab.config_file)
    assert result.returncode == 1 and "nothere" in result.stderr and "[FAIL] configuration applied" in result.stderr
    lab.config_file.write_text("{")
    assert "not JSON" in start_once(lab, "--config", lab.config_file).stderr
    missing = start_once(lab, "--config", "/nonexistent.json")
    assert missing.returncode == 11 and "No such file" in missing.stderr
    assert start_once(lab, "--nonsense").returncode == 2
    assert lab.programs() == programs
    lab.config = default_config()
    lab.start_controld()


def test_empty_maps_under_attached_programs_are_an_error(clean):
    lab = clean
    lab.call("session.add", {"sessions": [new_session(70)]})
    lab.stop(lab.controld)
    pinned = lab.state / "bpf" / "map" / "meta"

    def bpftool(*arguments):
        command = ["nsenter", "-t", str(lab.holder.pid), "-m", "bpftool", *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    value = json.loads(bpftool("-j", "map", "lookup", "pinned", pinned, "key", 0, 0, 0, 0))["value"]
    bpftool("map", "update", "pinned", pinned, "key", 0, 0, 0, 0, "value", *[0] * len(value))
    result = start_once(lab, "--config", lab.config_file)
    assert result.returncode == 1 and "the maps are empty, but bpfholder has programs attached" in result.stderr
    bpftool("map", "update", "pinned", pinned, "key", 0, 0, 0, 0, "value", *[int(byte, 16) for byte in value])
    lab.start_controld()
    assert lab.call("status")["start"]["adopted"]["sessions"] == 1
