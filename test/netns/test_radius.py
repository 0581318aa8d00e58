# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The RADIUS client against a real FreeRADIUS, and against a server that is silent, slow
# or lies: everything that was sent is counted, and nothing is lost by a restart.
import json
import pathlib
import threading
import time

import pytest

import radius
from lab import EXEMPT, INTERNET, Lab, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
SIGNING, PLAIN, OWN = 18120, 18122, 18124  # ports; accounting is the next one


def server(name, address, port, **more):
    return {"name": name, "address": address, "port": port, "acct_port": port + 1, "secret": radius.SECRET, "timeout_ms": 5000,
            "retries": 1, **more}


def configure(lab, *servers, **more):
    lab.config["radius"] = {"servers": list(servers), "nas_identifier": "bng-test", "nas_address": "198.51.100.1",
                            "dictionary": str(lab.dictionary), "dead_seconds": 2, **more}
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


def servers(lab):
    return {entry["name"]: entry for entry in lab.call("radius.servers")["servers"]}


def try_user(lab, user="nemo", password="arctangent", method="pap"):
    return lab.call("radius.test", {"user": user, "password": password, "method": method})


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.dictionary = lab.directory / "dictionary"  # where user bng can read it
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        radius.start_freeradius(lab, TOP, [("signing", INTERNET, SIGNING, True), ("plain", INTERNET, PLAIN, False)])
        configure(lab, server("free", INTERNET, SIGNING))
        lab.start_daemons()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        yield lab


@pytest.fixture
def own(lab):
    """A server of the test's own, on two addresses if it likes."""
    made = []

    def start(address=INTERNET, port=OWN, **more):
        made.append(radius.Server(lab, address, port, **more))
        return made[-1]
    yield start
    for entry in made:
        entry.end()


def restart(lab, how):
    if how == "term":
        assert lab.stop(lab.controld) == 0
    else:
        lab.controld.kill()
        lab.reap(lab.controld)
    return lab.start_controld


# ---- FreeRADIUS --------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pap", "chap"])
def test_rfc2865_s4_2_freeradius_accepts_and_its_attributes_have_names(lab, method):
    configure(lab, server("free", INTERNET, SIGNING))
    before = servers(lab)["free"]
    answer = try_user(lab, method=method)
    assert (answer["outcome"], answer["server"], answer["tries"]) == ("accept", "free", 1)
    found = [(entry["name"], entry["value"]) for entry in answer["attributes"]]
    for expected in [("Framed-IP-Address", "10.0.0.77"), ("Session-Timeout", "3600"), ("Reply-Message", "hello nemo"),
                     ("Mikrotik-Rate-Limit", "10M/20M"), ("Holdfast-Rate-Up", "10000"), ("Holdfast-NAT-Pool", "default")]:
        assert expected in found
    after = servers(lab)["free"]
    assert (after["requests"] - before["requests"], after["accepts"] - before["accepts"]) == (1, 1)
    assert after["rtt_ms"] > 0 and after["state"] == "alive" and after["outstanding"] == 0


def test_rfc2865_s4_3_freeradius_rejects(lab):
    configure(lab, server("free", INTERNET, SIGNING))
    before = servers(lab)["free"]["rejects"]
    assert try_user(lab, password="wrong")["outcome"] == "reject"
    assert try_user(lab, password="wrong", method="chap")["outcome"] == "reject"
    assert try_user(lab, "long", "a password longer than sixteen bytes, and than thirty-two")["outcome"] == "accept"
    assert servers(lab)["free"]["rejects"] == before + 2


def test_cli_reads_the_password_from_standard_input(lab):
    configure(lab, server("free", INTERNET, SIGNING))
    good = lab.cli("radius", "test", "nemo", "--method", "chap", input="arctangent\n")
    assert good.stdout.startswith("accept from free, ") and "Framed-IP-Address               10.0.0.77" in good.stdout
    bad = lab.cli("radius", "test", "nemo", input="wrong\n", check=False)
    assert bad.returncode == 1 and bad.stdout.startswith("reject from free, ")
    assert lab.cli("radius", "test", "nemo", input="", check=False).returncode == 2
    as_json = lab.cli("--json", "radius", "test", "nemo", input="arctangent\n")
    assert json.loads(as_json.stdout)["outcome"] == "accept"
    assert "free" in lab.cli("radius", "servers").stdout and "WARNING" not in lab.cli("radius", "servers").stdout


def test_cli_says_whom_it_waits_for_and_that_nobody_came(lab, own):
    own(decide=lambda user: None)
    configure(lab, server("mute", INTERNET, OWN, timeout_ms=4000, retries=0))
    result = lab.cli("radius", "test", "nemo", input="arctangent\n", check=False)
    assert result.returncode == 1 and result.stdout.startswith("unanswered: no server has answered within ")
    assert result.stderr == "bngcli: no answer yet: each RADIUS server has its tries (bngcli radius servers)\n"


def test_a_reply_without_message_authenticator_is_refused(lab):
    configure(lab, server("plain", INTERNET, PLAIN, timeout_ms=1000))
    assert try_user(lab)["outcome"] == "unanswered"
    entry = servers(lab)["plain"]
    assert (entry["no_message_authenticator"], entry["timeouts"], entry["accepts"], entry["state"]) == (2, 1, 0, "dead")
    configure(lab, server("old", INTERNET, PLAIN, require_message_authenticator=False))
    assert try_user(lab)["outcome"] == "accept"
    assert "old: WARNING: replies without Message-Authenticator are believed" in lab.cli("radius", "servers").stdout
    assert "CVE-2024-3596" in lab.log("controld")


def test_rfc2865_s2_5_rfc2865_s3_a_reply_by_another_secret_is_dropped_and_counted(lab, own):
    stranger = own(secret="another secret")
    configure(lab, server("stranger", INTERNET, OWN, timeout_ms=1000))
    assert try_user(lab)["outcome"] == "unanswered"
    entry = servers(lab)["stranger"]
    assert (entry["bad_authenticator"], entry["requests"], entry["retransmissions"]) == (2, 1, 1)
    # One request, said twice: the same id and authenticator.
    wait_for("both tries to be heard", lambda: len(stranger.requests) == 2)
    assert len({request[1:4] for request in stranger.requests}) == 1


# ---- Servers that die ----------------------------------------------------------------------


def test_rfc2865_s2_5_failover_dead_time_and_return(lab, own):
    first = own(decide=lambda user: None)
    own(address=EXEMPT)
    configure(lab, server("first", INTERNET, OWN, timeout_ms=700), server("second", EXEMPT, OWN))
    answer = try_user(lab)
    assert (answer["outcome"], answer["server"]) == ("accept", "second")
    wait_for("both tries to be heard", lambda: len(first.requests) == 2)
    assert servers(lab)["first"]["state"] == "dead"
    left_alone = 0
    for _ in range(20):
        answer, asked = try_user(lab)["server"], len(first.requests)
        if not servers(lab)["first"]["dead_s"]:
            break  # on a machine that has better things to do
        assert (answer, asked) == ("second", 2)
        left_alone += 1
    assert left_alone
    first.decide = lambda user: radius.ACCESS_ACCEPT
    wait_for("the end of the dead time", lambda: servers(lab)["first"]["dead_s"] == 0)
    assert try_user(lab)["server"] == "first" and servers(lab)["first"]["state"] == "alive"
    assert "RADIUS server first answers again" in lab.log("controld")


def test_without_a_server_requests_fail_at_once(lab, own):
    silent = own(decide=lambda user: None)
    configure(lab, server("silent", INTERNET, OWN, timeout_ms=200), dead_seconds=60)
    before = lab.call("radius.servers")
    assert try_user(lab)["outcome"] == "unanswered"
    refused = lab.cli("radius", "test", "nemo", input="x\n", check=False)
    assert refused.returncode == 1 and "no RADIUS server is alive" in refused.stderr
    after = lab.call("radius.servers")
    assert (after["unanswered"] - before["unanswered"], after["no_server"] - before["no_server"]) == (1, 1)
    wait_for("both tries to be heard", lambda: len(silent.requests) == 2)


# ---- Many at a time -------------------------------------------------------------------------


def submit(lab, count, outcomes, prefix="user"):
    """So many tests at a time, over connections of 100 each; the threads that wait for their answers."""
    def run(start, number):
        with lab.rpc(timeout=60) as client:
            client.send_all([("radius.test", {"user": f"{prefix}{i}", "password": "x"}) for i in range(start, start + number)])
            try:
                for _ in range(number):
                    outcomes.append(client.next_reply()["result"]["outcome"])
            except (OSError, KeyError):
                return  # controld went away
    threads = [threading.Thread(target=run, args=(start, min(100, count - start)), daemon=True) for start in range(0, count, 100)]
    for thread in threads:
        thread.start()
    return threads


def test_thousands_outstanding_over_several_ports(lab, own):
    slow = own(decide=lambda user: None)
    configure(lab, server("slow", INTERNET, OWN, timeout_ms=30000), ports=10, rate=100000, burst=3000, queue=2300)
    before = lab.call("radius.servers")
    outcomes = []
    threads = submit(lab, 2300, outcomes)
    wait_for("2,300 requests at the server", lambda: len(slow.held) == 2300)
    now = lab.call("radius.servers")
    assert (now["servers"][0]["outstanding"], now["waiting"]) == (2300, 0)
    assert len({request[1] for request in slow.requests}) == 10
    assert len({request[1:3] for request in slow.requests}) == 2300  # no id twice
    assert lab.cli("radius", "test", "nemo", input="x\n", check=False).returncode == 1
    assert lab.call("radius.servers")["refused"] == before["refused"] + 1
    assert slow.answer_held() == 2300
    for thread in threads:
        thread.join(60)
    assert outcomes == ["accept"] * 2300
    entry = servers(lab)["slow"]
    assert (entry["outstanding"], entry["accepts"], entry["timeouts"]) == (0, 2300, 0)


def test_the_governor_holds_and_ids_are_waited_for(lab, own):
    quick = own()
    configure(lab, server("quick", INTERNET, OWN, timeout_ms=30000), ports=1, rate=400, burst=10)
    outcomes, begun = [], time.monotonic()
    for thread in submit(lab, 300, outcomes):
        thread.join(60)
    assert time.monotonic() - begun >= 290 / 400 * 0.95  # 400 a second, ten at once
    assert outcomes == ["accept"] * 300 and len(quick.requests) == 300
    quick.decide = lambda user: None
    configure(lab, server("quick", INTERNET, OWN, timeout_ms=30000), ports=1, rate=100000, burst=3000)
    threads = submit(lab, 300, outcomes)
    wait_for("all ids to be in use", lambda: lab.call("radius.servers")["waiting"] == 44)
    assert servers(lab)["quick"]["outstanding"] == 256
    wait_for("them at the server", lambda: len(quick.held) == 256)
    quick.decide = lambda user: radius.ACCESS_REJECT
    quick.answer_held(radius.ACCESS_REJECT)
    for thread in threads:
        thread.join(60)
    assert outcomes[300:] == ["reject"] * 300


# ---- Restart and reload -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["term", "kill"])
def test_a_restart_loses_no_request_and_no_reply(lab, own, how):
    slow = own(decide=lambda user: None)
    configure(lab, server("slow", INTERNET, OWN, timeout_ms=30000), ports=2, rate=100000, burst=1000)
    before = lab.call("radius.servers")
    submit(lab, 300, [])
    wait_for("300 requests at the server", lambda: len(slow.held) == 300)
    again = restart(lab, how)
    assert slow.answer_held() == 300  # while nobody is there
    again()
    wait_for("their replies", lambda: servers(lab)["slow"]["outstanding"] == 0)
    now, entry = lab.call("radius.servers"), servers(lab)["slow"]
    change = {name: now[name] - before[name] for name in ("adopted", "orphaned", "lost", "unexpected")}
    assert change == {"adopted": 300, "orphaned": 300, "lost": 0, "unexpected": 0}
    assert entry["accepts"] == before["servers"][0]["accepts"] + 300
    assert entry["retransmissions"] == before["servers"][0]["retransmissions"] and len(slow.requests) == 300


def test_what_was_on_its_way_fails_over_after_a_restart(lab, own):
    """The password goes to FreeRADIUS by another secret, though nobody kept it."""
    silent = own(decide=lambda user: None, secret="the first one's secret")
    free = server("free", INTERNET, SIGNING)
    configure(lab, server("mute", INTERNET, OWN, secret="the first one's secret", timeout_ms=1000, retries=0), free)
    before = servers(lab)["free"]["accepts"]
    waiting = threading.Thread(target=lambda: lab.cli("radius", "test", "nemo", input="arctangent\n", check=False))
    waiting.start()
    wait_for("the request", lambda: silent.requests)
    restart(lab, "kill")()
    wait_for("the accept of the other", lambda: servers(lab)["free"]["accepts"] == before + 1)
    assert len(silent.requests) == 1
    waiting.join()


def test_a_reload_leaves_requests_to_the_old_server(lab, own):
    slow = own(decide=lambda user: None)
    configure(lab, server("slow", INTERNET, OWN, timeout_ms=30000))
    outcomes = []
    threads = submit(lab, 50, outcomes)
    wait_for("50 requests", lambda: len(slow.held) == 50)
    configure(lab, server("free", INTERNET, SIGNING))
    assert servers(lab)["slow"]["state"] == "leaving" and try_user(lab)["server"] == "free"
    slow.answer_held()
    for thread in threads:
        thread.join(60)
    assert outcomes == ["accept"] * 50 and set(servers(lab)) == {"free"}


def test_another_secret_is_used_at_once_and_the_old_one_for_what_it_signed(lab, own):
    both = own(decide=lambda user: None)
    configure(lab, server("slow", INTERNET, OWN, timeout_ms=30000))
    outcomes = []
    threads = submit(lab, 20, outcomes)
    wait_for("20 requests", lambda: len(both.held) == 20)
    configure(lab, server("slow", INTERNET, OWN, secret="new", timeout_ms=30000))
    more = []
    threads += submit(lab, 20, more, "new")
    wait_for("20 more", lambda: len(both.held) == 40)
    new = [entry for entry in both.held if radius.attributes(entry[0])[1].startswith(b"new")]
    both.held = [entry for entry in both.held if entry not in new]
    both.answer_held()
    both.held, both.secret = new, b"new"
    both.answer_held()
    for thread in threads:
        thread.join(60)
    assert outcomes + more == ["accept"] * 40
    assert servers(lab)["slow"]["bad_authenticator"] == 0


def test_secrets_are_not_shown(lab):
    secret = "Zyx-very-secret-987"
    path = lab.directory / "radius.secret"
    path.write_text(radius.SECRET + "\n")
    path.chmod(0o644)
    configure(lab, server("hidden", INTERNET, OWN, secret=secret))
    shown = lab.cli("config", "show").stdout
    assert "hidden" in shown and secret not in shown
    by_file = server("free", INTERNET, SIGNING, secret_file=str(path))
    del by_file["secret"]
    configure(lab, by_file)
    assert try_user(lab)["outcome"] == "accept"
    lab.config["radius"]["servers"][0]["secret_file"] = str(lab.directory / "absent")
    lab.write_config()
    refused = lab.cli("config", "reload", check=False)
    assert refused.returncode == 1 and "/radius/servers/0/secret_file: " in refused.stderr
    assert try_user(lab)["outcome"] == "accept"  # the old one goes on
    lab.config["radius"]["servers"][0] = server("wrong", INTERNET, OWN, secret=[secret], secrett=secret)
    lab.write_config()
    assert secret not in lab.cli("config", "check", lab.config_file, check=False).stderr
    configure(lab, server("free", INTERNET, SIGNING))
    assert secret not in (lab.directory / "controld.log").read_text()
    assert radius.SECRET not in (lab.directory / "controld.log").read_text()
