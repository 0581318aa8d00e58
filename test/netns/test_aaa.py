# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Who gets in: every way to prove it against a real FreeRADIUS, a real DHCP client that is
# authorised by its MAC, and a controld that is killed while a question is under way.
import pathlib

import pytest

import radius
from lab import INTERNET, Lab, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
FREE, OWN = 18130, 18134  # ports; accounting is the next one
ALICE, BOB, CAROL, DAVE = (f"02:00:00:00:0a:{last:02x}" for last in range(1, 5))
FRANK = "02:00:00:00:0a:0f"
LINE_PASSWORD = "line password"
USERS = f"""
{ALICE} Cleartext-Password := "{LINE_PASSWORD}"
\tFramed-IP-Address = 10.0.77.1,
\tSession-Timeout = 900,
\tHoldfast-Rate-Down = 5000
{BOB} Auth-Type := Reject
\tReply-Message = "unpaid"
odd Cleartext-Password := "odd"
\tFramed-Pool = "nowhere",
\tIdle-Timeout = 60
"""


def server(name, port, **more):
    return {"name": name, "address": INTERNET, "port": port, "acct_port": port + 1, "secret": radius.SECRET,
            "timeout_ms": 5000, "retries": 1, **more}


def configure(lab, *servers, **aaa):
    lab.config["radius"] = {"servers": list(servers), "nas_identifier": "bng-test", "dictionary": str(lab.dictionary),
                            "dead_seconds": 1}
    lab.config["aaa"] = {"hold_off_seconds": 60, "ipoe": {"method": "radius", "password": LINE_PASSWORD}, **aaa}
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


def stats(lab):
    found = lab.call("aaa.stats")
    return {**{name: value for name, value in found.items() if name != "methods"},
            **{f"{entry['method']}.{name}": entry[name] for entry in found["methods"] for name in entry if name != "method"}}


def change(lab, before):
    return {name: value - before[name] for name, value in stats(lab).items() if value != before[name]}


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.dictionary = lab.directory / "dictionary"  # where user bng can read it
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        radius.start_freeradius(lab, TOP, [("free", INTERNET, FREE, True)], users=USERS)
        configure(lab, server("free", FREE))
        lab.start_daemons()
        lab.start_bngsync()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        yield lab


def try_user(lab, user, password, method):
    return lab.call("radius.test", {"user": user, "password": password, "method": method})


@pytest.mark.parametrize("method", ["pap", "chap", "mschap2"])
def test_a_user_gets_in_and_its_profile_is_shown(lab, method):
    answer = try_user(lab, "nemo", "arctangent", method)
    assert (answer["outcome"], answer["server"], answer["troubles"]) == ("accept", "free", [])
    assert answer["profile"] == {
        "address": "10.0.0.77", "session_timeout_s": 3600, "nat_pool": "default",
        "up": {"bits_s": 10000000, "burst_bytes": 0}, "down": {"bits_s": 20000000, "burst_bytes": 0}}
    names = {entry["name"] for entry in answer["attributes"]}
    assert ("MS-CHAP2-Success" in names) == (method == "mschap2")
    refused = try_user(lab, "nemo", "wrong", method)
    assert refused["outcome"] == "reject" and "profile" not in refused
    assert ("MS-CHAP-Error" in {entry["name"] for entry in refused["attributes"]}) == (method == "mschap2")


def test_a_line_gets_in_by_the_password_of_the_configuration(lab):
    answer = lab.call("radius.test", {"user": ALICE, "method": "line"})
    assert (answer["outcome"], answer["profile"]["address"]) == ("accept", "10.0.77.1")
    assert lab.call("radius.test", {"user": "nemo", "method": "line"})["outcome"] == "reject"


def test_cli_shows_what_a_session_would_have(lab):
    good = lab.cli("radius", "test", "nemo", "--method", "mschap2", input="arctangent\n").stdout
    assert "a session would have\n" in good and "WARNING" not in good
    assert "\n  address                         10.0.0.77\n" in good
    odd = lab.cli("radius", "test", "odd", "--method", "pap", input="odd\n").stdout
    assert 'WARNING: Framed-Pool: "nowhere": must be the name of a configured address pool' in odd
    assert "\na session would be DENIED for it\n" in odd and "DENIED" not in good
    configure(lab, server("free", FREE), invalid_values="ignore")
    assert "DENIED" not in lab.cli("radius", "test", "odd", "--method", "pap", input="odd\n").stdout
    configure(lab, server("free", FREE))
    assert "\n  up                              10 Mbit/s\n" in good
    for user, password, why in (("x" * 254, "y", "254: bytes in user, must be 1-253"),
                                ("x", "secret" * 22, "132: bytes in password, must be 0-128")):
        refused = lab.cli("radius", "test", user, input=f"{password}\n", check=False)
        assert refused.returncode == 1 and why in refused.stderr and "secret" not in refused.stderr
    assert "10.0.77.1" in lab.cli("radius", "test", ALICE, "--method", "line").stdout
    titles = lab.cli("aaa", "stats").stdout.splitlines()[0].split()
    assert titles == ["METHOD", "ASKED", "GRANTED", "DENIED", "UNANSWERED"]


def test_a_dhcp_client_is_authorised_by_its_mac(lab):
    before = stats(lab)
    alice = lab.alice = lab.client("alice", ALICE)
    alice.start_dhcp(again=20)
    alice.wait_bound()
    assert alice.address == "10.0.77.1" and alice.ping(INTERNET, 2) == 2
    assert change(lab, before) == {"line.asked": 1, "line.granted": 1}
    alice.renew()
    wait_for("the renewal", lambda: lab.call("dhcp4.stats")["received"]["request"] >= 2)
    assert change(lab, before) == {"line.asked": 1, "line.granted": 1}  # nobody is asked again


def test_who_is_refused_gets_nothing_and_is_asked_about_once(lab):
    before = stats(lab)
    bob = lab.client("bob", BOB)
    bob.start_dhcp()
    wait_for("the client to come again", lambda: change(lab, before).get("held_off", 0) >= 2)
    found = change(lab, before)
    found.pop("repeated", None)  # how often it came before the answer
    assert (found.pop("held_off") >= 2, found) == (True, {"line.asked": 1, "line.denied": 1, "holding_off": 1})
    assert bob.address == ""
    restarted = stats(lab)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    after = stats(lab)
    assert after["line.asked"] == restarted["line.asked"] and after["holding_off"] == 1  # also after a restart
    lab.stop(bob.dhcp_process)


def test_a_question_survives_the_death_of_who_asked(lab):
    own = radius.Server(lab, INTERNET, OWN, decide=lambda user: None)
    configure(lab, server("own", OWN, timeout_ms=30000))
    before = stats(lab)
    carol = lab.client("carol", CAROL)
    carol.start_dhcp(again=20)
    wait_for("the question", lambda: own.held)
    lab.controld.kill()
    lab.reap(lab.controld)
    assert own.answer_held() == 1  # while nobody is there
    lab.start_controld()
    carol.wait_bound()
    assert change(lab, before) == {"line.asked": 1, "line.granted": 1}
    assert [request[4] for request in own.requests] == [CAROL]
    own.end()


def test_a_client_that_comes_again_is_not_asked_about_twice_across_a_restart(lab):
    own = radius.Server(lab, INTERNET, OWN, decide=lambda user: None)
    configure(lab, server("own", OWN, timeout_ms=30000))
    before = stats(lab)
    dave = lab.client("dave", DAVE)
    dave.start_dhcp()
    wait_for("the question", lambda: own.held)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    wait_for("the client to come again", lambda: change(lab, before).get("repeated", 0) >= 1)
    assert len(own.requests) == 1 and stats(lab)["under_way"] == 1
    assert own.answer_held() == 1
    dave.wait_bound()
    found = change(lab, before)
    assert (found.pop("repeated") >= 1, found) == (True, {"line.asked": 1, "line.granted": 1})
    assert len(own.requests) == 1
    own.end()


def test_without_servers_the_fallback_lets_them_in(lab):
    configure(lab, server("away", OWN + 4, timeout_ms=100, retries=0),
              ipoe={"method": "radius", "fallback": "local"}, profiles=[{"session_timeout": 300}])
    before = stats(lab)
    erin = lab.client("erin", "02:00:00:00:0a:05")
    erin.start_dhcp(again=20)
    erin.wait_bound()
    found = change(lab, before)
    assert found.pop("no_server", 0) == 0
    assert found == {"line.asked": 1, "line.unanswered": 1, "fallback": 1}


def texts(follower, count):
    """Of so many events; the client asks again by itself, so these come."""
    return [follower.next_notification(60)["params"] for _ in range(count)]


def test_a_trace_by_name_shows_why_there_is_no_session(lab):
    configure(lab, server("free", FREE))
    frank = lab.client("frank", FRANK)
    with lab.rpc() as by_name, lab.rpc() as by_other:
        by_name.call("session.trace", {"user": FRANK})
        by_other.call("session.trace", {"user": BOB})
        frank.start_dhcp(again=2)
        events = texts(by_name, 3)
        assert by_other.next_notification(0.1) is None
    lab.stop(frank.dhcp_process)
    assert {event["mac"] for event in events} == {FRANK}
    first, again, once_more = [event["text"] for event in events]
    assert (first, again) == ("not authorised: refused by free", "DHCP: DISCOVER received")
    assert once_more.startswith("not authorised: refused by free (not asked again for ")


def test_a_trace_by_address_follows_who_has_it(lab):
    alice = lab.alice
    refused = lab.cli("session", "trace", "10.0.66.66", check=False)
    assert refused.returncode == 1 and "no session with address 10.0.66.66: name its MAC or its user" in refused.stderr
    with lab.rpc() as follower:
        follower.call("session.trace", {"address": alice.address})
        alice.renew()
        assert [event["text"] for event in texts(follower, 2)] == ["DHCP: REQUEST received", f"DHCP: ACK sent, {alice.address}"]
