# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The translator by configuration and by RPC, on the real data plane: filtering as a
# public tool sees it, exempt destinations that change under flows, port forwardings
# that outlive restarts, and who has a port.
import os
import re
import socket
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

import sandbox
from lab import INTERNET, Lab, default_config, wait_for
from rpc import RpcError
from traffic import WhoCalled, ask, tcp_ask, udp_socket

NOT_FOUND, CONFLICT = -32002, -32003
SECOND = "198.18.0.2"   # the other address of the STUN server
DAVE = {"address": "10.9.0.2", "mac": "02:00:00:00:00:0d", "interface": "access0"}


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["sizes"]["flows"] = 4096
    config["sessions"] = [dict(DAVE, forwards=[{"protocol": "tcp", "inner_port": 22, "public_port": 40022},
                                               {"protocol": "udp", "inner_port": 5060}])]
    with Lab(config) as lab:
        lab.ip(lab.internet, f"address add {SECOND}/32 dev lo")
        lab.start_daemons()
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        yield lab


def reload(lab):
    return lab.reload()["applied"]


def pool_set(lab, **members):
    lab.config["cgnat"]["pools"][0].update(members)
    return reload(lab)


def shown_pool(lab):
    return lab.call("cgnat.pools")["pools"][0]


def forwards(lab):
    return {(entry["address"], entry["protocol"], entry["inner_port"]): entry
            for entry in lab.call("cgnat.forward.list")["forwards"]}


def refused(lab, method, params):
    with pytest.raises(RpcError) as caught:
        lab.call(method, params)
    return caught.value


# ---- filtering, rates, MSS ----------------------------------------------------------

@pytest.fixture(scope="module")
def stun(lab):
    """RFC 5780 needs two addresses and two ports."""
    server = lab.start(lab.internet, "turnserver", "-S", "-n", "--no-cli", "-L", INTERNET, "-L", SECOND, "--no-tls",
                       "--no-dtls", "-l", "stdout", "--pidfile", lab.directory / "turn.pid", "-b",
                       lab.directory / "turn.sqlite", log="turn.log")
    wait_for("turnserver to listen", lambda: ":3478 " in lab.run(lab.internet, "ss", "-Hlun").stdout)
    yield server
    server.terminate()
    lab.reap(server)


def test_rfc4787_req9_rfc4787_req1_natdiscovery_reports_hairpinning(lab, stun):
    said = lab.alice.run("turnutils_natdiscovery", "-m", "-f", "-H", INTERNET, timeout=60).stdout
    assert "Received a request (maybe a successful hairpinning)" in said, said
    assert "NAT with Endpoint Independent Mapping!" in said and "NAT with Endpoint Independent Filtering!" in said, said
    assert "timeout" not in said, said


@pytest.mark.parametrize("filtering, reported, too", [
    ("endpoint-independent", "Endpoint Independent Filtering", "Independent Filter"),
    ("address-dependent", "Address Dependent Filtering", "Address Dependent Filter"),
    ("address-and-port-dependent", "Address and Port Dependent Filtering", "Port Dependent Filter"),
])
def test_rfc4787_req8a_rfc5382_req3a_natdiscovery_reports_the_filtering_that_is_configured(lab, stun, filtering, reported, too):
    """And another client agrees: stun-client, which speaks the older RFC 3489."""
    pool_set(lab, filtering=filtering)
    assert shown_pool(lab)["filtering"] == filtering
    said = lab.alice.run("turnutils_natdiscovery", "-m", "-f", INTERNET, check=False, timeout=60).stdout
    assert "NAT with Endpoint Independent Mapping!" in said, said
    assert f"NAT with {reported}!" in said, said
    said = lab.alice.run("stun", INTERNET, check=False, timeout=60).stdout  # its exit status is its verdict
    assert f"Primary: Independent Mapping, {too}, random port, will hairpin" in said, said
    used = {entry["name"]: entry for entry in lab.call("maps")["maps"]}["flow"]
    assert used["max_entries"] == 1024 and (used["used"] > 0) == (filtering != "endpoint-independent")
    pool_set(lab, filtering="endpoint-independent")


def test_rfc6888_req10_policies_change_live_and_are_shown(lab):
    applied = pool_set(lab, refusal="host", refresh_inbound=True, mapping_rate=5, mapping_burst=27)
    assert "/cgnat/pools/default/refusal: \"prohibited\" -> \"host\"" in applied
    pool = shown_pool(lab)
    assert (pool["refusal"], pool["refresh_inbound"], pool["mapping_rate"], pool["mapping_burst"]) == ("host", True, 5, 27)
    assert lab.call("config.show")["cgnat"]["pools"][0]["mapping_burst"] == 27
    before = lab.drops()["drop_cgnat_rate_limit"]
    with sandbox.entered(lab.alice.namespace):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
    for one in sockets:
        one.sendto(b"x", (INTERNET, 9))
    wait_for("most to be refused", lambda: lab.drops()["drop_cgnat_rate_limit"] - before >= 60)
    for one in sockets:
        one.close()
    pool_set(lab, refusal="prohibited", refresh_inbound=False, mapping_rate=0, mapping_burst=0)


SMALL = {"name": "small", "prefixes": ["203.0.113.32/32"], "block_size": 512}
ERIN = {"address": "10.128.3.1", "mac": "02:00:00:00:00:0e", "interface": "access1", "pool": "small", "max_mappings": 5}


def refuse(lab, ports):
    """Erin asks from each port; returns when every one was refused that is beyond her limit."""
    before = refused_of(lab)
    lab.send_frames(lab.load, "up0", [Ether(src=ERIN["mac"], dst=lab.mac(lab.gateway, "access1"))
                                      / IP(src=ERIN["address"], dst="198.19.0.1") / UDP(sport=port, dport=9) for port in ports])
    wait_for("the refusals", lambda: refused_of(lab) - before >= len(ports) - ERIN["max_mappings"])


def refused_of(lab):
    pool = next(pool for pool in lab.call("cgnat.pools")["pools"] if pool["name"] == SMALL["name"])
    return sum(address["limit_hits"] for address in pool["addresses"])


def refused_events(follower):
    """What was told of her pool until now."""
    follower.call("status")  # reads what has come before its reply
    return [note["params"] for note in follower.notifications
            if note["params"].get("type") == "mappings_refused" and note["params"]["pool"] == "small"]


def test_rfc6888_req11c_refused_mappings_are_told(lab):
    """One event and a line in the log with a number, not one for each; and not again within ten seconds."""
    lab.config["cgnat"]["pools"].append(SMALL)
    reload(lab)
    lab.call("session.add", {"sessions": [ERIN]})
    with lab.rpc() as follower:
        follower.call("events.follow")
        refuse(lab, range(2000, 2030))
        (told,) = wait_for("the event", lambda: refused_events(follower))
        assert told["no_block"] == 0 and 1 <= told["limit"] <= 25 == refused_of(lab)  # the first look may fall into them
        refuse(lab, range(2030, 2060))
        time.sleep(1.3)  # refusals are looked at every second
        assert refused_events(follower) == [told]
    assert f"pool small refused mappings: 0 for want of a port block, {told['limit']} by subscribers' limits" in lab.log("controld")
    lab.call("session.disconnect", {"address": ERIN["address"]})
    lab.config["cgnat"]["pools"].pop()
    reload(lab)


def test_mss_of_open_sessions_follows_the_pool(lab):
    assert lab.call("session.show", {"address": lab.alice.address})["mss"] == 0
    lab.config["dhcp4"]["pools"][0]["mss"] = 1200
    reload(lab)
    assert lab.call("session.show", {"address": lab.alice.address})["mss"] == 1200
    with sandbox.entered(lab.internet):
        listener = socket.create_server((INTERNET, 7100))
    with sandbox.entered(lab.alice.namespace):
        client = socket.create_connection((INTERNET, 7100), timeout=20)
    server, _ = listener.accept()
    # Without timestamps' 12 bytes: what the kernel may put into a segment.
    assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1200
    assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 1200
    for one in (client, server, listener):
        one.close()
    del lab.config["dhcp4"]["pools"][0]["mss"]
    reload(lab)
    assert lab.call("session.show", {"address": lab.alice.address})["mss"] == 0


# ---- exempt destinations --------------------------------------------------------------

def write_exempt(lab, text):
    path = lab.directory / "exempt.list"
    partial = path.with_suffix(".new")
    partial.write_text(text)
    partial.chmod(0o644)
    os.rename(partial, path)
    return path


def exempt_count(lab, name="exempt"):
    return {entry["name"]: entry["used"] for entry in lab.call("maps")["maps"]}[name]


def test_rfc6888_req6_exempt_file_is_followed_and_flows_keep_their_mapping(lab):
    lab.config["cgnat"]["exempt_file"] = str(write_exempt(lab, "# none yet\n"))
    reload(lab)
    assert exempt_count(lab) == 1
    with WhoCalled(lab.internet, INTERNET), udp_socket(lab.alice.namespace) as old:
        public = ask(old, INTERNET)
        assert public[0].startswith("203.0.113.")
        write_exempt(lab, f"# now\n{INTERNET}\n198.51.0.0/16\n")
        wait_for("the file to be read", lambda: exempt_count(lab) == 3)
        with udp_socket(lab.alice.namespace) as new:
            assert ask(new, INTERNET)[0] == lab.alice.address
        assert ask(old, INTERNET) == public
        # A wrong line changes nothing, and is named.
        write_exempt(lab, f"{INTERNET}\n\n192.0.2.0/99\n")
        wait_for("the error", lambda: "exempt.list line 3: \"192.0.2.0/99\": must be an IPv4 prefix" in lab.log("controld"))
        assert exempt_count(lab) == 3
        error = refused(lab, "config.reload", None)
        assert "exempt.list line 3" in error.message
        # A restart with the wrong file serves with the list there is.
        lab.stop(lab.controld)
        lab.start_controld()
        assert exempt_count(lab) == 3 and ask(old, INTERNET) == public
        write_exempt(lab, "# gone\n")
        wait_for("the file to be read", lambda: exempt_count(lab) == 1)
        with udp_socket(lab.alice.namespace) as new:
            assert ask(new, INTERNET)[0] == public[0]
    del lab.config["cgnat"]["exempt_file"]
    reload(lab)


def test_rfc6888_req6_ports_in_the_file_are_followed_and_flows_keep_their_mapping(lab):
    lab.config["cgnat"]["exempt_file"] = str(write_exempt(lab, "# none yet\n"))
    reload(lab)
    with WhoCalled(lab.internet, INTERNET), udp_socket(lab.alice.namespace) as old:
        public = ask(old, INTERNET)
        assert public[0].startswith("203.0.113.")
        write_exempt(lab, f"{INTERNET} udp/7000\n")
        wait_for("the file to be read", lambda: exempt_count(lab, "exempt_port") == 1)
        assert exempt_count(lab) == 1
        with udp_socket(lab.alice.namespace) as new:
            assert ask(new, INTERNET)[0] == lab.alice.address
        assert ask(old, INTERNET) == public
        assert tcp_ask(lab.alice.namespace, INTERNET)[0] == public[0]
        write_exempt(lab, f"{INTERNET} udp/7000\n{INTERNET} tcp/70000\n")
        wait_for("the error", lambda: f"exempt.list line 2: \"{INTERNET} tcp/70000\": must have nothing behind the prefix "
                 "but a destination port such as tcp/443 or udp/53" in lab.log("controld"))
        # With nobody there, and after a restart with the wrong file, the list is what it was.
        lab.stop(lab.controld)
        with udp_socket(lab.alice.namespace) as new:
            assert ask(new, INTERNET)[0] == lab.alice.address
            lab.start_controld()
            assert ask(new, INTERNET)[0] == lab.alice.address and ask(old, INTERNET) == public
        assert exempt_count(lab, "exempt_port") == 1
        write_exempt(lab, f"{INTERNET}\ttcp/7000\n")
        wait_for("the file to be read", lambda: tcp_ask(lab.alice.namespace, INTERNET)[0] == lab.alice.address)
        assert exempt_count(lab, "exempt_port") == 1  # the old one is gone, too
        with udp_socket(lab.alice.namespace) as new:
            assert ask(new, INTERNET)[0] == public[0]
    lab.config["cgnat"]["exempt"].append(f"{INTERNET} tcp/x")
    assert f"/cgnat/exempt/1: \"{INTERNET} tcp/x\": must have nothing behind" in refused_reload(lab)
    lab.config["cgnat"]["exempt"].pop()
    del lab.config["cgnat"]["exempt_file"]
    reload(lab)
    assert exempt_count(lab, "exempt_port") == 0


def refused_reload(lab):
    lab.write_config()
    return refused(lab, "config.reload", None).message


# ---- port forwardings -------------------------------------------------------------------

def test_configured_forwards_are_there_and_survive_restarts(lab):
    wait_for("the forwards", lambda: {entry["state"] for entry in forwards(lab).values()} == {"active"})
    before = forwards(lab)
    ssh = before[(DAVE["address"], "tcp", 22)]
    assert (ssh["public_port"], ssh["origin"]) == (40022, "configuration")
    assert set(before) == {(DAVE["address"], "tcp", 22), (DAVE["address"], "udp", 5060)}
    drops = lab.drops()["inject_pin"]
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    time.sleep(1.5)  # what is missing is asked for every second
    assert forwards(lab) == before
    assert lab.drops()["inject_pin"] == drops  # nothing was asked for again
    assert lab.call("status")["start"]["adopted"]["mappings"] >= 2


def test_forwards_follow_the_file(lab):
    session = lab.config["sessions"][0]
    before = forwards(lab)[(DAVE["address"], "tcp", 22)]
    session["forwards"] = [session["forwards"][0], {"protocol": "udp", "inner_port": 53}]
    reload(lab)
    wait_for("the difference", lambda: set(forwards(lab)) == {(DAVE["address"], "tcp", 22), (DAVE["address"], "udp", 53)})
    wait_for("it to be active", lambda: {entry["state"] for entry in forwards(lab).values()} == {"active"})
    assert forwards(lab)[(DAVE["address"], "tcp", 22)] == before
    # Taken out while controld is away: seen when it comes back.
    lab.stop(lab.controld)
    session["forwards"] = session["forwards"][:1]
    lab.start_controld()
    wait_for("the difference", lambda: set(forwards(lab)) == {(DAVE["address"], "tcp", 22)})


def test_a_server_behind_the_gateway_is_reached_by_anybody(lab):
    said = lab.cli("cgnat", "forward", "add", lab.alice.address, "tcp", 8080, "--public-port", 45678, check=False)
    # Her blocks are where chance put them: ask for any if that one is not hers to have.
    if said.returncode:
        assert "public port 45678 was not given" in said.stderr
        said = lab.cli("cgnat", "forward", "add", lab.alice.address, "tcp", 8080)
    public, port = re.fullmatch(r"tcp (\S+):(\d+) -> \S+:8080 active\n", said.stdout).groups()
    pool_set(lab, filtering="address-and-port-dependent")
    with sandbox.entered(lab.alice.namespace):
        listener = socket.create_server(("0.0.0.0", 8080))
    with sandbox.entered(lab.internet):
        caller = socket.create_connection((public, int(port)), timeout=20)
    served, peer = listener.accept()
    served.sendall(b"hello")
    assert caller.recv(16) == b"hello" and peer[0] == "198.51.100.2"
    found = lab.cli_json("cgnat", "lookup", f"{public}:{port}")
    assert (found["state"], found["address"], found["protocol"], found["inner_port"], found["forward"]) == (
        "mapped", lab.alice.address, "tcp", 8080, True)
    mapping = [entry for entry in lab.call("cgnat.mappings", {"filter": {"address": lab.alice.address}})["mappings"]
               if entry["forward"]]
    assert len(mapping) == 1 and mapping[0]["expires_s"] is None
    assert "8080" in lab.cli("cgnat", "forward", "list", "--address", lab.alice.address).stdout
    assert lab.cli_json("cgnat", "forward", "remove", lab.alice.address, "tcp", 8080)["state"] == "ended"
    served.sendall(b"more")
    assert caller.recv(16) == b"more"  # what runs may finish
    assert not lab.call("cgnat.forward.list", {"address": lab.alice.address})["forwards"]
    for one in (caller, served, listener):
        one.close()
    pool_set(lab, filtering="endpoint-independent")


def test_forwards_that_cannot_be_are_refused(lab):
    dave = {"address": DAVE["address"], "protocol": "tcp"}
    assert refused(lab, "cgnat.forward.remove", dict(dave, inner_port=22)).code == CONFLICT
    assert refused(lab, "cgnat.forward.remove", dict(dave, inner_port=23)).code == NOT_FOUND
    assert refused(lab, "cgnat.forward.add", dict(dave, inner_port=23, public_port=40022)).code == CONFLICT
    assert refused(lab, "cgnat.forward.add", dict(dave, inner_port=22, public_port=40023)).code == CONFLICT
    assert refused(lab, "cgnat.forward.add", dict(dave, address="10.9.9.9", inner_port=1)).code == NOT_FOUND
    for wrong in ({"inner_port": 0}, {"inner_port": 1, "public_port": 80}, {"inner_port": 1, "protocol": "icmp"}, {}):
        assert refused(lab, "cgnat.forward.add", dict(dave, **wrong)).code == -32602
    again = lab.call("cgnat.forward.add", dict(dave, inner_port=22))
    assert (again["public_port"], again["origin"]) == (40022, "configuration")


def test_forwards_end_with_their_session(lab):
    public = forwards(lab)[(DAVE["address"], "tcp", 22)]["public"]
    lab.config["sessions"] = []
    reload(lab)
    assert (DAVE["address"], "tcp", 22) not in forwards(lab)
    wait_for("the block to be held", lambda: lab.call("cgnat.lookup", {"public": public, "port": 40022})["state"] == "held")
    held = lab.call("cgnat.lookup", {"public": public, "port": 40022})
    assert held["session"] and held["protocol"] is None and held["forward"] is False
    lab.config["sessions"] = [dict(DAVE, forwards=[{"protocol": "udp", "inner_port": 1}])]
    reload(lab)
    wait_for("the new one", lambda: forwards(lab).get((DAVE["address"], "udp", 1), {}).get("state") == "active")


def test_lookup_of_what_nobody_has(lab):
    assert refused(lab, "cgnat.lookup", {"public": "192.0.2.1", "port": 1}).code == NOT_FOUND
    assert lab.call("cgnat.lookup", {"public": "203.0.113.1", "port": 80}) == {
        "public": "203.0.113.1", "port": 80, "pool": "default", "state": "free", "session": None, "address": None,
        "mac": None, "protocol": None, "inner_port": None, "forward": False, "deterministic": None}
    assert lab.cli("cgnat", "lookup", "203.0.113.1", check=False).returncode == 2
