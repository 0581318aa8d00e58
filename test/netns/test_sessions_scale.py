# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Sessions of both kinds in number, with traffic and keepalives, while controld restarts
# and is killed, stays away, and RADIUS is gone. The judges are the subscribers (every
# packet, every echo, every address) and FreeRADIUS's own log of what it was asked and told.
#
# Small in the suite; by hand as large and as long as wanted (`make test-sessions`).
import collections
import json
import os
import random
import signal
import subprocess
import time

import pytest

from freeradius import PORT, octets
from lab import CORE, INTERNET, wait_for
from scale import COA_SECRET, ScaleLab
from subscribers import address_key, mac_of

COUNT = int(os.environ.get("BNG_TEST_SESSIONS", "300"))  # of each kind
ROUNDS = int(os.environ.get("BNG_TEST_ROUNDS", "5"))
AWAY_SECONDS = float(os.environ.get("BNG_TEST_AWAY_SECONDS_SESSIONS", "4"))
OUTAGE_SECONDS = float(os.environ.get("BNG_TEST_OUTAGE_SECONDS", "4"))
PACKETS = float(os.environ.get("BNG_TEST_PACKETS", str(min(4, 4000 / COUNT))))  # a second, of each session
NEWCOMERS = 20  # of each kind, in each round
LEAVERS = 5     # of each kind, during the outage
INTERIM = 5 if COUNT <= 1000 else 300
OVERDUE = 10    # seconds over which a starting controld spreads what is overdue
SLACK = 5
GOVERNED = max(400, COUNT // 2)  # packets a second to RADIUS when it comes back
BURST = 50
UNDER_WAY = 64  # accounting records sent and not answered, at most
KIND = {"Accounting-On": "on", "Accounting-Off": "off", "Start": "start", "Interim-Update": "interim", "Stop": "stop"}
EXACT = {"failed": {}, "ended": {}, "faults": {}}


@pytest.fixture(scope="module")
def lab():
    seed = int(os.environ.get("BNG_TEST_SEED", random.randrange(1 << 32)))
    print(f"BNG_TEST_SEED={seed}")
    with ScaleLab(INTERIM, most=4 * COUNT + 8 * NEWCOMERS * (ROUNDS + 8)) as lab:
        lab.random = random.Random(seed)
        lab.old = [lab.add("ipoe", COUNT), lab.add("pppoe", COUNT)]
        yield lab


@pytest.fixture
def busy(lab):
    """All who are up send, and ask for echoes; afterwards nothing was lost and nobody has moved."""
    people = lab.people
    people.do("reset")
    people.do("traffic", rate=PACKETS, echo_rate=1)
    before, sessions = everybody(lab), lab.identity()
    yield people
    report = people.drain()
    assert (report["traffic"]["lost"], report["echo"]["lost"], report["socket"]["dropped"]) == (0, 0, 0), report
    assert report["faults"] == {} and report["echo"]["requests"] > 0 and report["traffic"]["sent"] > 0
    after, now = everybody(lab), lab.identity()
    for number in before.keys() & after.keys():
        known = before[number][2] != "0.0.0.0"  # had a public address when this began
        assert after[number][:2 + 2 * known] == before[number][:2 + 2 * known] and after[number][4] == before[number][4]
    stayed = {entry[1] for entry in before.values()} & {entry[1] for entry in after.values()}
    assert {address: now.get(address) for address in stayed} == {address: sessions[address] for address in stayed}


def everybody(lab):
    """Who is up, by number."""
    return {entry["number"]: address_key(entry) for entry in lab.people.sessions() if entry["state"] == "up"}


def judged(report):
    return {name: report[name] for name in EXACT}


def newcomers(lab, count=NEWCOMERS):
    first = lab.add("ipoe", count)
    lab.add("pppoe", count)
    lab.people.do("start", first=first, count=2 * count)
    return first


def by_user(records, kind=None):
    found = collections.defaultdict(list)
    for record in records:
        if kind in (None, record.get("Acct-Status-Type")) and "User-Name" in record:
            found[record["User-Name"]].append(record)
    return found


def accounted(lab, starts):
    """There have been that many Starts, and FreeRADIUS knows of each, and of each Stop."""
    deadline = time.monotonic() + 60
    while True:
        stats = lab.call("accounting.stats")
        if stats["made"]["start"] == starts and stats["waiting"]["start"] == stats["waiting"]["stop"] == 0:
            return
        assert time.monotonic() < deadline, f"{starts} Starts expected: {stats}"
        time.sleep(0.05)


def check_accounting(lab, up, gone=0, longest=0.0):
    """Of each session one Start, of those that have gone one Stop, and interim counters without step or gap."""
    told = [record for record in lab.radius.told() if "User-Name" in record]
    seen = collections.Counter((record["Acct-Session-Id"], record["Acct-Status-Type"], record["Event-Timestamp"])
                               for record in told if record["Acct-Status-Type"] != "Interim-Update")
    twice = {key[0] for key, times in seen.items() if times > 1}
    assert not twice, [record for record in told if record["Acct-Session-Id"] in twice][:4]
    starts, stops = by_user(told, "Start"), by_user(told, "Stop")
    expected = set(by_user(lab.radius.asked()))
    assert (expected - set(starts), len(starts)) == (set(), up + gone)
    assert all(len(found) == 1 for found in starts.values())
    assert len(stops) == gone and all(len(found) == 1 for found in stops.values())
    newest = max(event_time(record) for record in told)
    for user, records in by_user(told).items():
        if longest and user not in stops:
            assert newest - event_time(records[-1]) <= longest, user
        for earlier, later in zip(records, records[1:]):
            assert later["Acct-Session-Id"] == earlier["Acct-Session-Id"]
            assert event_time(later) >= event_time(earlier)
            if longest:
                assert event_time(later) - event_time(earlier) <= longest
            if later["Acct-Status-Type"] != "Start" and earlier["Acct-Status-Type"] != "Start":
                assert all(octets(later, way) >= octets(earlier, way) for way in ("Input", "Output"))
                assert int(later["Acct-Session-Time"]) >= int(earlier["Acct-Session-Time"])


def told_once(lab, stopped):
    """FreeRADIUS has each record that was made, once; twice only if it ended before it could say that it had it."""
    made, deadline = lab.call("accounting.stats")["made"], time.monotonic() + 120 + COUNT / 50
    while True:
        stats = lab.call("accounting.stats")
        if all(stats["delivered"][kind] >= count for kind, count in made.items()):
            break
        assert time.monotonic() < deadline, (made, stats)
        time.sleep(0.05)
    ids = collections.defaultdict(list)
    for record in lab.radius.told():
        ids[record["Acct-Status-Type"], record.get("Acct-Session-Id"), record["Event-Timestamp"]].append(record["time"])
    found, later = collections.Counter(KIND[kind] for kind, _, _ in ids), lab.call("accounting.stats")
    # Interim records are made all the time: some are on their way.
    assert all(stats["delivered"][kind] <= found[kind] <= later["made"][kind] for kind in made), (stats, found, later)
    assert all(made[kind] == found[kind] == later["made"][kind] for kind in made if kind != "interim"), (made, found, later)
    assert all(stopped - 2 <= times[0] <= stopped for times in ids.values() if len(times) > 1)
    assert later["dropped"] == later["refused"] == 0


def questions(lab):
    """How those ended that were asked of AAA until now."""
    stats = lab.call("aaa.stats")
    total = {name: sum(method[name] for method in stats["methods"]) for name in ("granted", "denied", "unanswered")}
    return total | {"failed": total["unanswered"] + stats["no_server"]}


def heard(follower, begin, timeout=60):
    """The rest of the first text of a trace that begins so."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        event = follower.next_notification(timeout)
        if event and event["params"].get("text", "").startswith(begin):
            return event["params"]["text"].removeprefix(begin)
    raise TimeoutError(f"nothing that begins with {begin!r} in {timeout} s")


def event_time(record):
    return time.mktime(time.strptime(record["Event-Timestamp"].removesuffix(" UTC"), "%b %d %Y %H:%M:%S"))


def capture_of_requests(lab):
    """(file, tcpdump) of all that is sent to RADIUS from now on, where it is sent: it may come late, and be read later."""
    file = lab.directory / "requests.pcap"
    process = lab.start(lab.gateway, "tcpdump", "-n", "-i", "core0", "-w", file, "-U", "-Z", "root", "-s", "64",
                        f"udp and dst host {INTERNET} and dst portrange {PORT}-{PORT + 1}", log="capture.log")
    wait_for("tcpdump to listen", lambda: "listening on" in lab.log("capture"))
    return file, process


def busiest_second(file):
    """The most packets of a capture within any one second."""
    lines = subprocess.run(["tcpdump", "-n", "-tt", "-r", str(file)], capture_output=True, text=True, check=True).stdout
    times = [float(line.split()[0]) for line in lines.splitlines()]
    first = most = 0
    for last, time_of_last in enumerate(times):
        while time_of_last - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    assert most
    return most


# ---- One after the other ---------------------------------------------------------------


def test_everybody_comes_up(lab):
    report = lab.people.start(0, 2 * COUNT, 60 + COUNT / 50)
    assert judged(report) == EXACT and report["up"] == 2 * COUNT, report
    assert len(lab.identity()) == 2 * COUNT
    asked = by_user(lab.radius.asked())
    assert len(asked) == 2 * COUNT and all(len(requests) == 1 for requests in asked.values())
    for entry in lab.people.sessions(first=lab.old[1], count=COUNT):
        place = entry["number"] + 16
        assert entry["address"] == f"10.64.{place // 256}.{place % 256}"
    accounted(lab, 2 * COUNT)
    check_accounting(lab, 2 * COUNT)


def test_controld_restarts_and_nobody_notices(lab, busy):
    asked, up = len(lab.radius.asked()), 2 * COUNT
    for number in range(ROUNDS):
        newcomers(lab)
        up += 2 * NEWCOMERS
        time.sleep(lab.random.uniform(0, 0.15))
        lab.leave(signal.SIGKILL if number % 2 else signal.SIGTERM)
        time.sleep(lab.random.uniform(0, 0.2))
        lab.start_controld()
        assert judged(busy.settled(90)) == EXACT, f"round {number}"
        assert busy.report()["up"] == up, f"round {number}"
    later = by_user(lab.radius.asked()[asked:])
    old = {name for name, records in by_user(lab.radius.asked()[:asked]).items()}
    assert len(later) == up - 2 * COUNT and not old & set(later)
    accounted(lab, up)
    time.sleep(INTERIM if INTERIM < 10 else 0)
    check_accounting(lab, up, longest=INTERIM + OVERDUE + SLACK)
    lab.up = up


def test_controld_is_away_and_echo_goes_on(lab, busy):
    lab.leave(signal.SIGKILL)
    died = time.monotonic()
    request = change_of_authorisation(lab)
    waiting = newcomers(lab)
    time.sleep(AWAY_SECONDS)
    assert request.poll() is None
    report = busy.report()
    assert report["up"] == lab.up and report["echo"]["replies"] > lab.up / 2 * (AWAY_SECONDS - 1.5) / 2
    assert report["echo"]["longest_gap_ms"] < AWAY_SECONDS * 1000
    lab.start_controld()
    assert "Received CoA-ACK" in request.communicate(timeout=60)[0]
    lab.up += 2 * NEWCOMERS
    report = busy.settled(90)
    assert judged(report) == EXACT and report["up"] == lab.up, (report, waiting)
    assert busy.report()["echo"]["longest_gap_ms"] < AWAY_SECONDS * 1000
    print(f"controld away {time.monotonic() - died:.1f} s, longest gap of LCP echoes {report['echo']['longest_gap_ms']:.0f} ms")


def change_of_authorisation(lab):
    """radclient, waiting for its answer: one request for one session, while nobody reads it."""
    address = next(entry["address"] for entry in lab.people.sessions(first=lab.old[1], count=1))
    text = f"Framed-IP-Address = {address}\nSession-Timeout = 7200\nEvent-Timestamp = {int(time.time())}\n" \
           "Message-Authenticator = 0x00\n"
    process = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{lab.internet}", "radclient", "-x", "-d", str(lab.radius.folder), "-D",
         str(lab.radius.folder), "-r", "1", "-t", str(AWAY_SECONDS + 60), f"{CORE}:3799", "coa", COA_SECRET],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process.stdin.write(f"{text}Packet-Src-IP-Address = 198.18.0.1\n")
    process.stdin.close()
    process.stdin = None
    return process


def test_radius_is_gone_and_comes_back(lab, busy):
    people = busy
    lab.config["radius"] |= {"rate": GOVERNED, "burst": BURST}
    lab.config["radius"]["servers"][0] |= {"timeout_ms": 400, "retries": 1}  # given up before clients give up
    lab.write_config()
    lab.call("config.reload")
    lab.radius.stop()
    stopped, before = time.time(), questions(lab)
    asked, told, sent = len(lab.radius.asked()), len(lab.radius.told()), lab.packets_to_radius()
    people.do("set", retry_ms=300, again_ms=500, again_max_ms=1000)
    people.do("renew", first=lab.old[0], count=COUNT)
    assert people.wait("renewals", lambda report: report["renewed"] == COUNT)["ended"] == {}
    with lab.rpc() as follower:
        first = lab.add("ipoe", NEWCOMERS)
        lab.add("pppoe", NEWCOMERS)
        follower.call("session.trace", {"mac": mac_of(first)})
        people.do("start", first=first, count=2 * NEWCOMERS)
        reason = heard(follower, "not authorised: ")
    assert reason in ("no RADIUS server answered", "no RADIUS server is alive")
    quiet = people.drain()["traffic"]  # no answer is on its way to who leaves
    assert quiet["lost"] == 0
    for first in lab.old:
        people.do("stop", first=first, count=LEAVERS)
    people.do("traffic", rate=PACKETS, echo_rate=1)
    lab.up += 2 * NEWCOMERS - 2 * LEAVERS
    time.sleep(OUTAGE_SECONDS)
    report = people.report()
    assert report["up"] == lab.up - 2 * NEWCOMERS and report["ended"] == {"stopped": 2 * LEAVERS}, report
    assert lab.call("accounting.stats")["waiting"]["stop"] == 2 * LEAVERS
    now = questions(lab)
    assert now["denied"] == before["denied"] and now["granted"] == before["granted"]
    assert now["failed"] - before["failed"] >= 2 * NEWCOMERS  # each at least once, and tells it
    # Who is dead is not asked: what was under way, with its retries, and a probe now and then.
    tries = 1 + lab.config["radius"]["servers"][0]["retries"]
    sent_dead = lab.packets_to_radius() - sent
    probes = 1 + (time.time() - stopped) / lab.config["radius"]["dead_seconds"]
    assert sent_dead <= tries * (UNDER_WAY + 2 * NEWCOMERS + probes)
    sent_back, capture = capture_of_requests(lab)
    lab.radius.start()
    report = people.wait("newcomers", lambda report: report["up"] == lab.up, OUTAGE_SECONDS + 60)
    assert report["failed"].get("auth_rejected", 0) >= NEWCOMERS, report
    assert report["faults"] == {} and report["ended"] == {"stopped": 2 * LEAVERS}
    accounted(lab, lab.up + 2 * LEAVERS)
    check_accounting(lab, lab.up, gone=2 * LEAVERS)
    told_once(lab, stopped)
    each = by_user(lab.radius.asked()[asked:])
    assert len(each) == 2 * NEWCOMERS and max(map(len, each.values())) <= 2  # however often they came meanwhile
    print(f"packets to the server while it was dead: {sent_dead}, of {now['failed'] - before['failed']} questions that failed")
    came = collections.Counter(record["time"] for record in lab.radius.asked()[asked:] + lab.radius.told()[told:])
    print("requests in a second at FreeRADIUS:", json.dumps([came[second] for second in sorted(came)]))
    lab.stop(capture)
    assert busiest_second(sent_back) <= 1.1 * GOVERNED + BURST
