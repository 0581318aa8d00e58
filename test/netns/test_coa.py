# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# CoA-Request and Disconnect-Request by radclient against the real daemons: what they
# change, what is refused, and what is dropped, all counted exactly.
import contextlib
import hashlib
import hmac
import os
import pathlib
import pwd
import re
import socket
import struct
import threading
import time

import pytest

import sandbox
from lab import CORE, INTERNET, Lab, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
SECRET, PORT = "coa secret", 3799
ACK, NAK = {"coa": "CoA-ACK", "disconnect": "Disconnect-ACK"}, {"coa": "CoA-NAK", "disconnect": "Disconnect-NAK"}


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.radclient = lab.directory / "radclient"
        lab.radclient.mkdir()
        (lab.radclient / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n"
                                                  f"$INCLUDE {TOP}/packaging/radius/dictionary.holdfast\n")
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        lab.config["cgnat"]["pools"].append({"name": "other", "prefixes": ["203.0.113.64/30"], "block_size": 512})
        lab.config["radius"] = {"servers": [{"name": "none", "address": INTERNET, "secret": "unused"}],
                                "nas_identifier": "bng-test", "nas_address": CORE,
                                "dictionary": str(lab.directory / "dictionary")}
        lab.config["filters"] = {"walled": {"rules": [], "default": "deny"}}
        lab.config["coa"] = {"listen": CORE, "clients": [{"prefix": f"{INTERNET}/32", "secret": SECRET}], "window_s": 60}
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        yield lab


@pytest.fixture
def session(lab):
    number = lab.number = getattr(lab, "number", 20) + 1
    reply = lab.call("session.add", {"sessions": [{"address": f"10.0.0.{number}", "mac": f"02:00:00:00:00:{number:02x}",
                                                   "interface": "access0", "pool": "default"}]})
    return {"id": reply["ids"][0], "acct": f"{reply['ids'][0]:016x}", "address": f"10.0.0.{number}",
            "mac": f"02-00-00-00-00-{number:02X}"}


def ask(lab, kind, attributes, secret=SECRET, now=None, source=INTERNET, options=("-r", "1", "-t", "20")):
    """What radclient received: (code's name, Error-Cause's name), or None."""
    lines = [f"{name} = {value}" for name, value in attributes.items()]
    if now is not False:
        lines.append(f"Event-Timestamp = {int(now or time.time())}")
    lines += ["Message-Authenticator = 0x00", f"Packet-Src-IP-Address = {source}", "Proxy-State = 0x0102"]
    result = lab.run(lab.internet, "radclient", "-x", "-d", lab.radclient, "-D", lab.radclient, *options,
                     f"{CORE}:{PORT}", kind, secret, input="\n".join(lines) + "\n", check=False)
    received = re.search(r"Received (\S+) Id", result.stdout)
    if not received:
        return None
    answer = result.stdout[received.start():]
    assert "Proxy-State = 0x0102" in answer
    cause = re.search(r"Error-Cause = (\S+)", answer)
    return received.group(1), cause.group(1) if cause else None


def stats(lab):
    return lab.call("coa.stats")


def shown(lab, session):
    return lab.call("session.show", {"id": session["id"]})


def is_up(lab, session):
    active = lab.call("session.list", {"filter": {"address": session["address"], "state": "active"}})["sessions"]
    return [entry["id"] for entry in active] == [session["id"]]


@pytest.mark.parametrize("by", ["Acct-Session-Id", "Framed-IP-Address", "Calling-Station-Id", "both"])
def test_rfc5176_s2_1_a_disconnect_request_ends_the_session_that_it_names(lab, session, by):
    names = {"Acct-Session-Id": session["acct"], "Framed-IP-Address": session["address"], "Calling-Station-Id": session["mac"]}
    before = stats(lab)
    assert ask(lab, "disconnect", names if by == "both" else {by: names[by]}) == (ACK["disconnect"], None)
    assert not is_up(lab, session)
    assert ask(lab, "disconnect", {by: names[by]} if by != "both" else names) == (NAK["disconnect"], "Session-Context-Not-Found")
    after = stats(lab)
    assert after["disconnect_acks"] - before["disconnect_acks"] == 1
    assert after["disconnect_naks"] - before["disconnect_naks"] == 1
    assert after["naks"]["session_not_found"] - before["naks"]["session_not_found"] == 1


def test_rfc5176_s3_all_that_is_given_must_be_true(lab, session):
    assert ask(lab, "disconnect", {"Acct-Session-Id": session["acct"], "Framed-IP-Address": "10.0.0.9"}) == (
        NAK["disconnect"], "Session-Context-Not-Found")
    assert ask(lab, "disconnect", {"Acct-Session-Id": session["acct"], "User-Name": "nobody"}) == (
        NAK["disconnect"], "Session-Context-Not-Found")
    assert is_up(lab, session)


def test_rfc5176_s3_several_sessions_are_not_ended_at_once(lab, session):
    lab.number += 1
    lab.call("session.add", {"sessions": [{"address": f"10.0.0.{lab.number}", "mac": f"02:00:00:00:00:{lab.number:02x}",
                                           "interface": "access0", "pool": "default"}]})
    assert ask(lab, "disconnect", {"NAS-Port-Id": "access0"}) == (NAK["disconnect"], "Multiple-Session-Selection-Unsupported")
    assert is_up(lab, session)


def test_rfc5176_s2_2_a_coa_request_changes_the_session(lab, session):
    assert shown(lab, session)["pool"] == "default"
    with lab.rpc() as follower:  # with no command configured
        follower.call("events.follow")
        assert ask(lab, "coa", {"Acct-Session-Id": session["acct"], "Holdfast-NAT-Pool": "other", "Session-Timeout": 3600,
                                "Mikrotik-Rate-Limit": '"10M/20M"', "Filter-Id": "walled"}) == (ACK["coa"], None)
        event = {}
        while event.get("session") != session["id"]:  # those before it are being released
            event = follower.next_notification(20)["params"]
    assert (event["type"], event["address"]) == ("session_change", session["address"])
    assert (shown(lab, session)["pool"], shown(lab, session)["filter"]) == ("other", "walled")
    before, _, changes = shown(lab, session)["history"][-1]["text"].rpartition(": ")
    assert before == f"CoA-Request from {INTERNET}"
    assert set(changes.split(", ")) == {"nat_pool", "session_timeout_s", "up", "down", "filter"}
    assert is_up(lab, session)


def test_a_history_says_so_when_it_has_no_room_for_all_changes(lab, session):
    assert ask(lab, "coa", {"Acct-Session-Id": session["acct"], "Session-Timeout": 3600, "Idle-Timeout": 600, "Filter-Id": "walled",
                            "Acct-Interim-Interval": 600, "Mikrotik-Rate-Limit": '"10M/20M"', "Holdfast-Max-Blocks": 2,
                            "Holdfast-Max-Mappings": 100}) == (ACK["coa"], None)
    text = shown(lab, session)["history"][-1]["text"]
    assert text.startswith(f"CoA-Request from {INTERNET}: ") and text.endswith("...") and len(text) == 79


def test_a_session_timeout_by_coa_counts_from_now(lab, session):
    assert ask(lab, "coa", {"Acct-Session-Id": session["acct"], "Session-Timeout": 1}) == (ACK["coa"], None)
    wait_for("the end of the session", lambda: not is_up(lab, session))


@pytest.mark.parametrize("attributes, cause", [
    ({"NAS-Identifier": "another"}, "NAS-Identification-Mismatch"),
    ({"NAS-IP-Address": "192.0.2.99"}, "NAS-Identification-Mismatch"),
    ({"Service-Type": "Authorize-Only"}, "Unsupported-Service"),
    ({"Tunnel-Type:0": "L2TP"}, "Unsupported-Attribute"),
    ({"Framed-Route": '"198.51.100.0/29"', "Session-Timeout": 60}, "Unsupported-Attribute"),
    ({"Holdfast-NAT-Pool": "nowhere"}, "407"),
    ({"Filter-Id": "nowhere"}, "407"),
    ({}, "Missing-Attribute"),
])
def test_rfc5176_s2_2_rfc5176_s3_5_a_refused_coa_changes_nothing_and_says_why(lab, session, attributes, cause):
    before = shown(lab, session)["pool"], stats(lab)
    assert shown(lab, session)["filter"] is None
    code, found = ask(lab, "coa", {"Acct-Session-Id": session["acct"], **attributes})
    assert code == NAK["coa"] and found in (cause, "Invalid-Attribute-Value" if cause == "407" else cause)
    after = stats(lab)
    assert shown(lab, session)["filter"] is None
    assert shown(lab, session)["pool"] == before[0] and after["coa_naks"] - before[1]["coa_naks"] == 1


def test_rfc5176_s3_5_nobody_is_named(lab):
    assert ask(lab, "disconnect", {"NAS-Identifier": "bng-test"}) == (NAK["disconnect"], "Missing-Attribute")


# ---- No answer -----------------------------------------------------------------------------


@pytest.mark.parametrize("reason, options", [
    ("bad_authenticator", {"secret": "another secret"}), ("old", {"now": 1700000000}), ("old", {"now": 4000000000}),
    ("no_timestamp", {"now": False}), ("unknown_client", {"source": "192.0.2.1"})])
def test_rfc5176_s6_1_rfc5176_s6_3_who_may_not_ask_gets_no_answer(lab, session, reason, options):
    before = stats(lab)
    assert ask(lab, "disconnect", {"Acct-Session-Id": session["acct"]}, **options, options=("-r", "1", "-t", "0.3")) is None
    after = wait_for("it to be counted", lambda: (lambda now: now if now["dropped"] != before["dropped"] else None)(stats(lab)))
    assert {name: count - before["dropped"][name] for name, count in after["dropped"].items() if
            count != before["dropped"][name]} == {reason: 1}
    assert is_up(lab, session)


def request(session, ident, signed=True, code=40):
    """A request of our own: session id and time, signed or not."""
    attributes = b"\x2c\x12" + session["acct"].encode() + b"\x37\x06" + struct.pack("!I", int(time.time()))
    if signed:
        attributes += b"\x50\x12" + bytes(16)
    head = struct.pack("!BBH", code, ident, 20 + len(attributes))
    if signed:
        attributes = attributes[:-16] + hmac.new(SECRET.encode(), head + bytes(16) + attributes, "md5").digest()
    return head + hashlib.md5(head + bytes(16) + attributes + SECRET.encode()).digest() + attributes


@pytest.fixture
def sender(lab):
    with sandbox.entered(lab.internet):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((INTERNET, 0))
    udp.settimeout(20)
    with udp:
        yield udp


def test_rfc5176_s2_3_a_request_that_comes_again_gets_the_same_answer_and_has_one_effect(lab, session, sender):
    packet, before = request(session, 7), stats(lab)
    answers = []
    for _ in range(5):
        sender.sendto(packet, (CORE, PORT))
        answers.append(sender.recv(4096))
    assert len(set(answers)) == 1 and answers[0][0] == 41
    after = stats(lab)
    assert (after["disconnect_acks"] - before["disconnect_acks"], after["repeated"] - before["repeated"]) == (5, 4)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    sender.sendto(packet, (CORE, PORT))
    assert sender.recv(4096) == answers[0]
    assert stats(lab)["repeated"] == 1


def test_rfc5176_s2_3_unsigned_requests_and_other_codes_are_dropped(lab, session, sender):
    before = stats(lab)["dropped"]
    for packet in (request(session, 1, signed=False), request(session, 2, code=12), request(session, 3)[:19], b""):
        sender.sendto(packet, (CORE, PORT))
    wait_for("the drops", lambda: sum(stats(lab)["dropped"].values()) - sum(before.values()) == 4)
    after = stats(lab)["dropped"]
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "no_message_authenticator": 1, "unknown_code": 1, "malformed": 2}
    assert is_up(lab, session)


@pytest.mark.parametrize("how", ["kill", "term"])
def test_a_request_sent_while_controld_is_away_is_answered_after_it(lab, session, sender, how):
    if how == "kill":
        lab.controld.kill()
        lab.reap(lab.controld)
    else:
        assert lab.stop(lab.controld) == 0
    sender.sendto(request(session, 9), (CORE, PORT))
    lab.start_controld()
    assert sender.recv(4096)[0] == 41
    assert not is_up(lab, session) and stats(lab)["disconnect_acks"] == 1


# ---- Sockets over generations of controld -------------------------------------------------------

RESTARTS, PACE, PER_SOCKET, SOCKETS = 6, 0.01, 100, 400  # PER_SOCKET answers is what a socket has room for


def the_group(lab):
    (group,) = lab.call("group.status", server="holder")["groups"]
    return group


def restart(lab, how):
    if how == "kill":
        lab.controld.kill()
        lab.reap(lab.controld)
    else:
        assert lab.stop(lab.controld) == 0
    lab.start_controld()


def works_of(lab):
    return [row["generation"] for row in the_group(lab)["generations"] if row["state"] == "working"]


def start_beside(lab):
    """The next controld comes up while the last one still serves; then that one ends."""
    last, before = lab.controld, works_of(lab)
    lab.start_controld(wait=False)
    wait_for("the next one to work", lambda: works_of(lab) != before)
    wait_for("the last one's socket to be gone", lambda: len(the_group(lab)["generations"]) == 1)
    assert lab.stop(last) == 0


class Requests(threading.Thread):
    """A request every PACE seconds, none sent twice; notes what was answered."""

    def __init__(self, udp, session):
        super().__init__()
        self.udp, self.session, self.ending, self.sent, self.answers = udp, session, False, [], []

    def run(self):
        while not self.ending:
            number = len(self.sent)
            # Two requests of one second with one id would be one request: the source port tells them apart.
            self.sent.append(number)
            self.udp[number // PER_SOCKET].sendto(request(self.session, number % PER_SOCKET, code=43), (CORE, PORT))
            time.sleep(PACE)


def test_every_request_is_answered_over_restarts_of_everybody(lab, session):
    with sandbox.entered(lab.internet):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOCKETS)]
    for udp in sockets:
        udp.bind((INTERNET, 0))
        udp.settimeout(20)
    load = Requests(sockets, session)
    load.start()
    for number in range(RESTARTS):
        restart(lab, "kill" if number % 2 else "term")
        if number == 2:
            lab.holder.kill()
            lab.reap(lab.holder)
            lab.start_holder()
            wait_for("controld to be back", lambda: lab.call("status")["holder"]["connected"])
    start_beside(lab)
    load.ending = True
    load.join()
    again = 0
    for start in range(0, len(load.sent), PER_SOCKET):
        udp, expected = sockets[start // PER_SOCKET], set(range(len(load.sent[start:start + PER_SOCKET])))
        answers = [udp.recv(4096) for _ in expected]
        udp.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                answers.append(udp.recv(4096))
        # A CoA-Request that asks for nothing is refused, with the cause.
        assert {answer[1] for answer in answers} == expected and {answer[0] for answer in answers} == {45}
        assert len(set(answers)) == len(expected)
        again += len(answers) - len(expected)
    # Who is killed with a request in hand may have sent the answer already.
    assert again <= RESTARTS // 2
    for udp in sockets:
        udp.close()
    group = the_group(lab)
    assert group["unrouted"] == 0 and group["mode"] == "stateless"
    (row,) = group["generations"]
    assert row["generation"] == lab.call("status")["epoch"] and row["state"] == "working"
    assert (row["kept"], row["overflowed"]) == (1, 0)
    print(f"{RESTARTS} restarts, one of the holder, one beside: {len(load.sent)} requests, all answered, {again} twice")


@contextlib.contextmanager
def as_controlds_user():
    user = pwd.getpwnam("bng")
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def bound_socket(lab, option=socket.SO_REUSEPORT):
    with sandbox.entered(lab.gateway), as_controlds_user():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, option, 1)
        made.bind((CORE, PORT))
    return made


@pytest.mark.parametrize("way", ["upgrade", "downgrade and upgrade"])
def test_what_waits_with_a_version_without_groups_is_answered(lab, session, sender, way):
    """After a downgrade there is the group of the newer version still; the older one's socket is not in it."""
    assert lab.stop(lab.controld) == 0
    if way == "upgrade":
        lab.call("group.drop", {"name": the_group(lab)["name"]}, server="holder")
    with bound_socket(lab, socket.SO_REUSEADDR) as old, lab.rpc("holder") as holder:
        holder.call("fd.store", {"name": "controld.coa"}, [old.fileno()])
        sender.sendto(request(session, 1), (CORE, PORT))
        assert old.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    lab.start_controld()
    assert sender.recv(4096)[0] == 41
    wait_for("it to be dropped", lambda: "controld.coa" not in lab.call("fd.list", server="holder")["names"])
    sender.sendto(request(session, 2, code=43), (CORE, PORT))
    assert sender.recv(4096)[0] == 45
    assert [row["state"] for row in the_group(lab)["generations"]] == ["working"]


def test_starts_that_never_got_ready_leave_no_place_taken(lab, session, sender):
    assert lab.stop(lab.controld) == 0
    name = the_group(lab)["name"]
    with lab.rpc("holder") as holder:
        for number in range(1, 8):
            with bound_socket(lab) as dead:
                holder.call("group.register", {"name": name, "generation": number}, [dead.fileno()])
    assert len(the_group(lab)["generations"]) == 8
    sender.sendto(request(session, 3), (CORE, PORT))
    lab.start_controld()
    assert sender.recv(4096)[0] == 41
    wait_for("them to be gone", lambda: len(the_group(lab)["generations"]) == 1)


def test_the_cli_shows_what_was_counted(lab):
    text = lab.cli("coa", "stats", "--all").stdout
    for line in ("disconnect_acks", "session_not_found", "bad_authenticator"):
        assert line in text
    assert lab.cli_json("coa", "stats") == stats(lab)
    text = lab.cli("holder", "groups").stdout
    assert f"coa.{CORE}.{PORT}" in text and "stateless" in text
    assert [word for word in text.splitlines()[-1].split()][:3] == [str(lab.call("status")["epoch"]), "working", "1/1"]


def test_a_reload_moves_the_socket_and_ends_it(lab, session, sender):
    lab.config["coa"]["port"] = PORT + 1
    lab.write_config()
    lab.call("config.reload")
    sender.sendto(request(session, 1), (CORE, PORT + 1))
    assert sender.recv(4096)[0] == 41
    group = the_group(lab)
    assert group["name"] == f"coa.{CORE}.{PORT + 1}" and group["address"] == f"{CORE}:{PORT + 1}"
    del lab.config["coa"]
    lab.write_config()
    lab.call("config.reload")
    assert not stats(lab)["listening"]
    assert lab.call("group.status", server="holder") == {"groups": []}
    assert not [name for name in lab.call("fd.list", server="holder")["names"] if name.startswith("group.")]
