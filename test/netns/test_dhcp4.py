# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The DHCP server with real clients: udhcpc and dhclient through all of a lease's
# life, and a client of our own (scapy) for what those two never say. Counters of
# the server are compared exactly.
import datetime
import os
import signal
import time

import pytest
from scapy.all import DHCP, IP, UDP, Ether  # pylint: disable=no-name-in-module

import lab as lab_module
from dhcp import RawClient
from lab import EXEMPT, GATEWAY, Lab, wait_for

LEASE = 3600
FIRST, LAST = 10, 17  # 10.0.0.x


def config():
    wanted = lab_module.default_config()
    wanted["dhcp4"]["pools"][0].update(first=f"10.0.0.{FIRST}", last=f"10.0.0.{LAST}", lease_seconds=LEASE, mtu=1400,
                                       max_sessions_per_interface=6)
    return wanted


@pytest.fixture(scope="module")
def lab():
    with Lab(config()) as lab:
        lab.start_daemons()
        yield lab


@pytest.fixture
def moved(lab):
    """Says how much each counter of the server moved since the test began."""
    before = flat(lab.call("dhcp4.stats"))

    def difference():
        now = flat(lab.call("dhcp4.stats"))
        return {name: value - before[name] for name, value in now.items() if value != before[name]}
    return difference


@pytest.fixture(autouse=True)
def nobody_left(lab):
    yield
    for process in [process for process in lab.processes if process not in (lab.holder, lab.controld)]:
        lab.stop(process, signal.SIGKILL)
    for session in sessions(lab):
        lab.call("session.disconnect", {"id": session["id"]})
    wait_for("sessions to be released", lambda: lab.call("status")["sessions"]["closing"] == 0)


def flat(stats):
    return {f"{group}.{name}": value for group, counters in stats.items() if isinstance(counters, dict)
            for name, value in counters.items()}


def sessions(lab):
    return lab.call("session.list", {"filter": {"state": "active"}})["sessions"]


def session_of(lab, mac):
    found = [session for session in sessions(lab) if session["mac"] == mac]
    return found[0] if found else None


@pytest.fixture(scope="module")
def raw(lab):
    return RawClient(lab, "raw")


def checksums_are_right(frame):
    """What scapy computes must be what is there."""
    fresh = frame.copy()
    del fresh[IP].chksum, fresh[UDP].chksum
    fresh = Ether(bytes(fresh))
    return (fresh[IP].chksum, fresh[UDP].chksum) == (frame[IP].chksum, frame[UDP].chksum)


# ---- udhcpc -----------------------------------------------------------------------


@pytest.mark.parametrize("tags", [[], ["8100:7"], ["88a8:100", "8100:7"]], ids=["untagged", "vlan", "qinq"])
def test_rfc2131_s3_1_udhcpc_life_of_a_lease(lab, moved, tags):
    client = lab.client(f"u{len(tags)}", f"02:00:00:00:01:0{len(tags)}", tags)
    client.start_dhcp(again=20)
    address = client.wait_bound()
    lease = client.lease()
    assert (lease["router"], lease["dns"], lease["mtu"], lease["lease"]) == (GATEWAY, EXEMPT, "1400", str(LEASE))
    session = session_of(lab, client.mac)
    vids = {0: (0, 0), 1: (7, 0), 2: (100, 7)}[len(tags)]
    assert (session["address"], session["kind"]) == (address, "dhcp")
    assert (session["outer_vid"], session["inner_vid"]) == vids
    assert moved() == {"received.discover": 1, "received.request": 1, "sent.offer": 1, "sent.ack": 1, "leases.bound": 1}
    assert client.ping(GATEWAY) == 3

    client.renew()
    wait_for("the renewal", lambda: moved().get("leases.renewed") == 1)
    wait_for("the client", lambda: client.renewals() == 1)
    assert session_of(lab, client.mac)["id"] == session["id"]
    assert moved()["received.request"] == 2 and moved()["sent.ack"] == 2

    client.dhcp_process.send_signal(signal.SIGUSR2)
    wait_for("the release", lambda: moved().get("received.release") == 1)
    assert session_of(lab, client.mac) is None
    wait_for("the address to be free again", lambda: lab.call("status")["sessions"]["closing"] == 0)
    client.renew()  # after a release udhcpc begins again
    wait_for("a new lease", lambda: session_of(lab, client.mac))
    assert session_of(lab, client.mac)["address"] == address
    assert "refused.no_binding" not in moved()


def test_renewal_of_a_disconnected_session_is_refused_and_begins_again(lab, moved):
    client = lab.client("disconnected", "02:00:00:00:02:11")
    client.start_dhcp(again=20)
    client.wait_bound()
    first = session_of(lab, client.mac)
    lab.call("session.disconnect", {"id": first["id"]})
    wait_for("the address to be free again", lambda: lab.call("status")["sessions"]["closing"] == 0)
    client.renew()  # unicast, from an address that has no session any more
    wait_for("a new lease", lambda: session_of(lab, client.mac))
    assert moved()["sent.nak"] == 1
    assert session_of(lab, client.mac)["id"] > first["id"]


def test_rfc2131_s4_3_3_udhcpc_declines_an_address_in_use(lab, moved):
    squatter = lab.client("squatter", "02:00:00:00:02:01")
    victim = lab.client("victim", "02:00:00:00:02:02")
    taken = victim_address(lab, victim)
    squatter.set_static(taken)
    process = lab.start(victim.namespace, "udhcpc", "-f", "-i", "eth0", "-a", "-t", "20", "-T", "1", "-A", "1", "-s",
                        lab_module.HERE / "udhcpc.sh", log="victim-arping.log",
                        env=dict(os.environ, BNG_LEASE_FILE=str(victim.lease_file)))
    other = wait_for("another lease", lambda: victim.address)
    assert process.poll() is None and other != taken
    assert moved()["received.decline"] == 1
    assert lab.call("dhcp4.stats")["quarantined"] == 1
    assert session_of(lab, victim.mac)["address"] == other


def victim_address(lab, client):
    """What the server would give this client now: asked for by an udhcpc that takes it and goes."""
    client.start_dhcp()
    address = client.wait_bound()
    lab.stop(client.dhcp_process)
    lab.call("session.disconnect", {"address": address})
    wait_for("the address to be free again", lambda: lab.call("status")["sessions"]["closing"] == 0)
    client.lease_file.unlink()
    client.run("ip", "address", "flush", "dev", "eth0")
    return address


# ---- dhclient -------------------------------------------------------------------------


def dhclient(lab, client, flag):
    files = lab.directory / f"{client.name}.leases", lab.directory / f"{client.name}.pid"
    client.run("dhclient", "-4", flag, "-sf", "/bin/true", "-cf", "/dev/null", "-lf", files[0], "-pf", files[1], "eth0",
               timeout=60)
    return files[1]


def bound_dhclient(lab, client):
    """Its process id. The one that is called ends before the daemon it leaves behind has written its own."""
    (lab.directory / f"{client.name}.pid").unlink(missing_ok=True)
    file = dhclient(lab, client, "-1")
    return int(wait_for("dhclient's process id", lambda: file.exists() and file.read_text().strip()))


def test_rfc2131_s3_2_dhclient_binds_and_reboots_into_its_lease(lab, moved):
    client = lab.client("isc", "02:00:00:00:03:01")
    daemon = bound_dhclient(lab, client)
    session = session_of(lab, client.mac)
    assert moved() == {"received.discover": 1, "received.request": 1, "sent.offer": 1, "sent.ack": 1, "leases.bound": 1}
    os.kill(daemon, signal.SIGKILL)  # its -x would ask for the lease once more
    bound_dhclient(lab, client)  # knows its lease: INIT-REBOOT
    assert session_of(lab, client.mac)["id"] == session["id"]
    assert moved() == {"received.discover": 1, "received.request": 2, "sent.offer": 1, "sent.ack": 2, "leases.bound": 1,
                       "leases.renewed": 1}
    client.run("ip", "address", "add", f"{session['address']}/16", "dev", "eth0")  # it releases from a plain socket
    dhclient(lab, client, "-r")
    wait_for("the release", lambda: session_of(lab, client.mac) is None)
    assert moved()["received.release"] == 1


# ---- What those two never say --------------------------------------------------------------


def test_rfc2131_s4_1_reply_is_a_correct_frame(raw):
    kind, address, options, frame = raw.ask("discover", options=[("client_id", b"\x01abc"), ("param_req_list", [26, 6])])
    assert kind == "offer" and checksums_are_right(frame)
    assert (frame.dst, frame[IP].src, frame[IP].dst) == (raw.mac, GATEWAY, address)
    assert (frame[UDP].sport, frame[UDP].dport) == (67, 68)
    assert options["client_id"] == b"\x01abc" and options["server_id"] == GATEWAY
    assert options["renewal_time"] == LEASE // 2 and options["rebinding_time"] == LEASE * 7 // 8
    names = [option[0] for option in frame[DHCP].options if isinstance(option, tuple)]
    assert names.index("interface-mtu") < names.index("name_server") < names.index("subnet_mask") < names.index("router")


def test_rfc2131_s4_1_broadcast_flag(raw):
    _, _, _, frame = raw.ask("discover", flags=0x8000)
    assert (frame.dst, frame[IP].dst) == ("ff:ff:ff:ff:ff:ff", "255.255.255.255") and checksums_are_right(frame)


def test_rfc2131_s4_3_2_nak_for_an_address_of_another_network(raw, moved):
    kind, _, options, frame = raw.ask("request", mac="02:00:00:02:00:02", options=[("requested_addr", "192.168.7.7")])
    assert kind == "nak" and frame.dst == "ff:ff:ff:ff:ff:ff"
    assert b"network" in options["error_message"]
    assert moved() == {"received.request": 1, "sent.nak": 1, "refused.wrong_network": 1}


def test_rfc2131_s4_3_2_silence_for_an_unknown_client_that_reboots(raw, moved):
    assert raw.unanswered("request", lambda: moved().get("refused.no_binding"), mac="02:00:00:02:00:01",
                          options=[("requested_addr", f"10.0.0.{LAST}")])
    assert moved() == {"received.request": 1, "refused.no_binding": 1}


def test_nak_ends_a_rebinding_without_lease(raw, moved):
    assert raw.ask("request", mac="02:00:00:02:00:03", source=f"10.0.0.{LAST}")[0] == "nak"
    assert moved() == {"received.request": 1, "sent.nak": 1, "refused.no_binding": 1}


def test_damaged_and_foreign_packets_are_counted(lab, raw, moved):
    raw.send("discover", damage=0x10)
    raw.send("discover", giaddr="10.0.0.9")
    raw.send("request", options=[("requested_addr", "10.0.0.12"), ("server_id", "10.0.0.2")])
    wait_for("the packets", lambda: sum(moved().values()) >= 4)
    assert moved() == {"refused.checksum": 1, "refused.relayed": 1, "received.request": 1, "refused.other_server": 1}
    assert sessions(lab) == []


def test_limit_of_sessions_on_an_interface(lab, raw, moved):
    macs = [f"02:00:00:03:00:{number:02x}" for number in range(7)]
    addresses = {raw.lease(mac) for mac in macs[:6]}
    assert len(addresses) == 6 and len(sessions(lab)) == 6
    assert raw.unanswered("discover", lambda: moved().get("refused.interface_limit"), mac=macs[6])
    assert moved()["refused.interface_limit"] == 1 and moved()["leases.bound"] == 6
    lab.call("session.disconnect", {"id": sessions(lab)[0]["id"]})
    assert raw.ask("discover", mac=macs[6])[0] == "offer"


def test_rfc2131_s4_3_4_nobody_else_releases_a_lease(lab, raw, moved):
    address = raw.lease(wanted=f"10.0.0.{FIRST + 3}")
    before = lab.drops()["drop_spoof_mac"]
    release = {"source": address, "options": [("server_id", GATEWAY)]}
    raw.send("release", mac="02:00:00:04:00:01", destination=GATEWAY, **release)  # stopped by the antispoof
    raw.send("release", mac="02:00:00:04:00:01", **release)  # broadcast: comes to the server
    wait_for("the release", lambda: moved().get("received.release") == 1)
    assert lab.drops()["drop_spoof_mac"] == before + 1 and moved()["refused.no_binding"] == 1
    assert session_of(lab, raw.mac)["address"] == address


def test_rfc2131_s4_3_5_inform_gets_parameters_and_no_lease(raw, moved):
    kind, address, options, _ = raw.ask("inform", source="10.0.0.200")
    assert (kind, address) == ("ack", "0.0.0.0")
    assert options["router"] == GATEWAY and "lease_time" not in options
    assert moved() == {"received.inform": 1, "sent.ack": 1}


def moment(session):
    """When its lease ends, in seconds."""
    return datetime.datetime.fromisoformat(session["lease_expires"]).timestamp()


# ---- Restart, expiry -------------------------------------------------------------------------


def test_rfc2131_s2_1_leases_survive_a_restart_and_requests_wait_for_it(lab, raw):
    address = raw.lease()
    session = session_of(lab, raw.mac)
    assert lab.stop(lab.controld) == 0
    raw.send("request", source=address, destination=GATEWAY)
    assert raw.receive(timeout=0.5) is None
    lab.start_controld()
    assert raw.receive()[:2] == ("ack", address)
    after = session_of(lab, raw.mac)
    assert (after["id"], after["address"]) == (session["id"], address)
    assert after["lease_expires"] > session["lease_expires"]
    assert flat(lab.call("dhcp4.stats"))["leases.renewed"] == 1


def test_rfc2131_s2_2_lease_that_nobody_renews_ends(lab, raw):
    """Last: the lease is cut short."""
    lab.config["dhcp4"]["pools"][0]["lease_seconds"] = 3
    lab.write_config()
    lab.call("config.reload")
    before = flat(lab.call("dhcp4.stats"))["leases.expired"]
    address = raw.lease()
    first = session_of(lab, raw.mac)
    assert first["address"] == address
    time.sleep(0.1)  # so that its lease ends later than the first one
    assert raw.ask("request", source=address, destination=GATEWAY)[0] == "ack"
    renewed = session_of(lab, raw.mac)
    assert renewed["id"] == first["id"] and moment(renewed) > moment(first)
    wait_for("the lease to end", lambda: session_of(lab, raw.mac) is None)
    assert time.time() >= moment(renewed)  # not with the lease that was renewed
    assert flat(lab.call("dhcp4.stats"))["leases.expired"] == before + 1
