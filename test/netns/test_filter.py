# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A filter from RADIUS to the packets of a real client: given at login, changed by CoA,
# enforced without controld, the same after it; unknown names refused; reloads that change
# rules, and those that would take away what is in use.
import pathlib
import re
import time

import pytest

import radius
from lab import CORE, INTERNET, Lab, wait_for
from rpc import RpcError
from traffic import WhoCalled, ask, udp_socket

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT, COA_PORT, SECRET = 18160, 3799, "coa secret"
WALLED, PLAIN, LOST = "02:00:00:00:0e:01", "02:00:00:00:0e:02", "02:00:00:00:0e:03"
USERS = f"""
"{WALLED}" Cleartext-Password := "line"
\tFilter-Id = "walled"
"{PLAIN}" Cleartext-Password := "line"
"{LOST}" Cleartext-Password := "line"
\tFilter-Id = "nowhere"
"""
FILTERS = {"walled": {"rules": [{"action": "permit", "direction": "up", "protocol": "udp", "prefix": f"{INTERNET}/32", "ports": "9999"},
                                {"action": "permit", "direction": "down", "protocol": "udp", "ports": "9999"}],
                      "default": "deny"},
           "open": {"rules": [{"action": "deny", "protocol": "tcp", "ports": "1-1023"}], "default": "permit"}}


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.dictionary = lab.directory / "dictionary"  # where user bng can read it
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        lab.radclient = lab.directory / "radclient"
        lab.radclient.mkdir()
        (lab.radclient / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        radius.start_freeradius(lab, TOP, [("free", INTERNET, PORT, True)], USERS)
        lab.config["radius"] = {"nas_identifier": "bng-test", "dictionary": str(lab.dictionary),
                                "servers": [{"name": "free", "address": INTERNET, "port": PORT, "acct_port": PORT + 1,
                                             "secret": radius.SECRET, "timeout_ms": 5000}]}
        lab.config["aaa"] = {"ipoe": {"method": "radius", "username": "%{mac}", "password": "line"}, "invalid_values": "ignore"}
        lab.config["coa"] = {"listen": CORE, "clients": [{"prefix": f"{INTERNET}/32", "secret": SECRET}]}
        lab.config["filters"] = FILTERS
        lab.write_config()
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        lab.clients = {}
        for name, mac in (("walled", WALLED), ("plain", PLAIN)):
            lab.clients[mac] = lab.client(name, mac)
            lab.clients[mac].start_dhcp()
            lab.clients[mac].wait_bound()
        yield lab


def shown(lab, mac=WALLED):
    return lab.call("session.show", {"address": lab.clients[mac].address})


def filters(lab):
    return {entry["name"]: entry for entry in lab.call("filter.list")["filters"]}


def drops(lab):
    found = lab.call("filter.list")
    return found["drops_up"]["packets"], found["drops_down"]["packets"]


def restart(lab):
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()


def send(lab, count, port, mac=WALLED):
    """Datagrams to the internet; how many were let through, when each was judged."""
    def judged():
        return shown(lab, mac)["up_packets"], drops(lab)[0]
    before = judged() if lab.controld.poll() is None else None
    with udp_socket(lab.clients[mac].namespace) as sender:
        for _ in range(count):
            sender.sendto(b"x", (INTERNET, port))
    if before is None:
        return None
    wait_for("each to be judged", lambda: sum(judged()) >= sum(before) + count)
    return judged()[0] - before[0]


def coa(lab, name):
    text = (f"Framed-IP-Address = {lab.clients[WALLED].address}\nFilter-Id = \"{name}\"\nEvent-Timestamp = {int(time.time())}\n"
            f"Message-Authenticator = 0x00\nPacket-Src-IP-Address = {INTERNET}\n")
    result = lab.run(lab.internet, "radclient", "-x", "-d", lab.radclient, "-D", lab.radclient, "-r", "1", "-t", "20",
                     f"{CORE}:{COA_PORT}", "coa", SECRET, input=text, check=False)
    return re.search(r"Received (\S+) Id", result.stdout).group(1)


def test_a_filter_of_radius_is_enforced_both_ways(lab):
    assert (shown(lab)["filter"], shown(lab, PLAIN)["filter"]) == ("walled", None)
    assert filters(lab)["walled"]["sessions"] == 1
    client, before = lab.clients[WALLED], drops(lab)
    with WhoCalled(lab.internet, INTERNET, port=9999), udp_socket(client.namespace, 5000) as caller:
        assert ask(caller, INTERNET, 9999)
    assert drops(lab) == before
    assert send(lab, 20, 9998) == 0
    assert send(lab, 20, 9998, PLAIN) == 20
    assert drops(lab) == (before[0] + 20, before[1])
    # Down: a mapping is open, but the answer comes from another port.
    public = public_end(lab, client)
    with udp_socket(lab.internet, 9997) as remote:
        for _ in range(7):
            remote.sendto(b"x", public)
    wait_for("the drops", lambda: drops(lab) == (before[0] + 20, before[1] + 7))
    walled = filters(lab)["walled"]
    assert walled["default_packets"] == 27 and walled["rules"][0]["packets"] >= 2 and walled["rules"][1]["packets"] >= 1


def public_end(lab, client):
    """The public end of its port 5000."""
    with WhoCalled(lab.internet, INTERNET, port=9999), udp_socket(client.namespace, 5000) as caller:
        return ask(caller, INTERNET, 9999)


def test_it_holds_without_controld_and_after_it(lab):
    number, before = filters(lab)["walled"]["number"], filters(lab)["walled"]["default_packets"]
    lab.controld.kill()
    lab.reap(lab.controld)
    send(lab, 30, 9998)
    with WhoCalled(lab.internet, INTERNET, port=9999), udp_socket(lab.clients[WALLED].namespace, 5000) as caller:
        assert ask(caller, INTERNET, 9999)
    lab.start_controld()
    walled = filters(lab)["walled"]
    assert (walled["number"], walled["sessions"], walled["default_packets"]) == (number, 1, before + 30)
    assert shown(lab)["filter"] == "walled"


def test_coa_changes_it_live(lab):
    assert coa(lab, "open") == "CoA-ACK"
    assert shown(lab)["filter"] == "open" and send(lab, 10, 9998) == 10
    unknown = lab.call("filter.list")["unknown"]
    assert coa(lab, "nowhere") == "CoA-NAK"
    assert shown(lab)["filter"] == "open" and lab.call("filter.list")["unknown"] == unknown + 1
    restart(lab)
    assert shown(lab)["filter"] == "open" and send(lab, 10, 9998) == 10
    assert coa(lab, "walled") == "CoA-ACK"
    assert shown(lab)["filter"] == "walled" and send(lab, 10, 9998) == 0


def test_a_login_with_an_unknown_filter_is_refused(lab):
    """Also where values that make no sense are left out: this one would be no filter at all."""
    before, refused = lab.call("aaa.stats"), lab.call("filter.list")["unknown"]
    client = lab.client("lost", LOST)
    client.start_dhcp()
    wait_for("the refusal", lambda: lab.call("filter.list")["unknown"] > refused)
    assert lab.call("aaa.stats")["refused_values"] > before["refused_values"]
    assert 'Filter-Id: \\"nowhere\\": must be the name of one of /filters' in lab.log("controld").replace('"', '\\"')
    assert lab.call("session.list", {"filter": {"mac": LOST}})["sessions"] == []


def reload(lab, wanted):
    lab.config["filters"] = wanted
    lab.write_config()
    return lab.call("config.reload")


def test_rules_change_under_a_session_that_has_them(lab):
    number = filters(lab)["walled"]["number"]
    wider = {**FILTERS["walled"], "rules": [{"action": "permit", "protocol": "udp", "ports": "9990-9999"}]}
    reload(lab, {**FILTERS, "walled": wider})
    assert filters(lab)["walled"]["number"] == number and send(lab, 10, 9998) == 10
    assert filters(lab)["walled"]["rules"][0]["packets"] == 10
    reload(lab, FILTERS)
    assert filters(lab)["walled"]["number"] == number and send(lab, 10, 9998) == 0


def test_what_is_in_use_is_not_taken_away(lab):
    with pytest.raises(RpcError, match=r"/filters/walled: missing: must stay while sessions have it \(1 do\)"):
        reload(lab, {"open": FILTERS["open"]})
    assert filters(lab)["walled"]["configured"] and send(lab, 10, 9998) == 0
    # A start cannot refuse: the rules stay.
    restart(lab)
    assert not filters(lab)["walled"]["configured"] and shown(lab)["filter"] == "walled" and send(lab, 10, 9998) == 0
    reload(lab, FILTERS)
    assert filters(lab)["walled"]["configured"]
    reload(lab, {"walled": FILTERS["walled"]})  # nobody has the other
    assert set(filters(lab)) == {"walled"}
    reload(lab, FILTERS)
