# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Reuseport groups of the holder, with real sockets: which generation gets a datagram, in each
# mode, with everybody being restarted; counted exactly. The kernel cannot run this kind of
# program by BPF_PROG_TEST_RUN (neither 6.1 nor 6.18: ENOTSUPP).
import contextlib
import os
import pathlib
import socket
import sys
import time

import pytest

from holder_fixture import BINARY, GROUP, HolderLab
from lab import wait_for
from sandbox import entered

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "schema"))
import openrpc  # noqa: E402

CONFLICT, LIMIT, NOT_FOUND, INVALID_PARAMS = -32003, -32005, -32002, -32602
HERE, PORT = "127.0.0.1", 7000


class Group:
    """A group, its servers' sockets and its clients', all in the holder's namespace."""

    def __init__(self, lab, name="test", **options):
        self.lab, self.name, self.options = lab, name, options
        self.generations, self.clients = {}, []

    def socket(self, port=PORT, address=HERE, reuse=True, family=socket.AF_INET):
        with entered(self.lab.namespace):
            made = socket.socket(family, socket.SOCK_DGRAM)
        if reuse:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setblocking(False)
        if port:
            made.bind((address, port))
        return made

    def params(self, number, **options):
        chosen = {**self.options, **options}
        return {"name": self.name, "generation": number, **({"options": chosen} if chosen else {})}

    def register(self, number, sockets=1, work=False):
        self.generations.setdefault(number, [self.socket() for _ in range(sockets)])
        row = self.lab.call("group.register", self.params(number), [s.fileno() for s in self.generations[number]])
        if work:
            self.work(number)
        return row

    def work(self, number):
        return self.lab.call("group.set_working", {"name": self.name, "generation": number})

    def drop(self, number):
        return self.lab.call("group.drop", {"name": self.name, "generation": number})

    def client(self):
        self.clients.append(self.socket(port=None, reuse=False))
        self.clients[-1].connect((HERE, PORT))
        return self.clients[-1]

    def read(self):
        """Datagrams that wait, by generation and socket: {number: [[..], ..]}; those without any left out."""
        delivered(self.lab)
        found = {number: [read_all(s) for s in sockets] for number, sockets in self.generations.items()}
        return {number: lists for number, lists in found.items() if any(lists)}

    def got(self):
        """How many, by generation."""
        return {number: sum(map(len, lists)) for number, lists in self.read().items()}

    def status(self):
        (whole,) = self.lab.call("group.status", {"name": self.name})["groups"]
        return whole

    def row(self, number):
        return next(row for row in self.status()["generations"] if row["generation"] == number)

    def counted(self, number, *names):
        row = self.row(number)
        return tuple(row[name] for name in names)

    def close(self):
        for made in [*self.clients, *(s for sockets in self.generations.values() for s in sockets)]:
            made.close()


def delivered(lab):
    """Whatever was sent has come: on each CPU the kernel delivers in turn, and what is sent last is there."""
    mine = os.sched_getaffinity(0)
    with entered(lab.namespace):
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with probe:
        probe.bind((HERE, 0))
        probe.settimeout(60)
        for cpu in mine:
            os.sched_setaffinity(0, {cpu})
            probe.sendto(b"", probe.getsockname())
            probe.recv(1)
    os.sched_setaffinity(0, mine)


def read_all(made):
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(made.recv(2048))
    return found


@pytest.fixture(scope="module")
def lab():
    with HolderLab() as made:
        made.start()
        yield made
        made.stop()


@pytest.fixture
def make(lab):
    made = []

    def make(**options):
        made.append(Group(lab, **options))
        return made[-1]
    yield make
    for group in made:
        group.close()
    if lab.process.poll() is not None:
        lab.start()
    for entry in lab.call("group.status")["groups"]:
        lab.call("group.drop", {"name": entry["name"]})
    assert lab.call("fd.list")["names"] == []


# ---- Who gets a datagram ---------------------------------------------------------------------


def test_a_flow_stays_with_the_generation_that_it_began_with(make):
    group = make()
    assert group.register(1)["state"] == "working"
    old = [group.client() for _ in range(10)]
    for client in old:
        client.send(b"first")
    assert group.got() == {1: 10}
    assert group.register(2)["state"] == "ready"
    new = [group.client() for _ in range(7)]
    new[0].send(b"before the flip")
    assert group.got() == {1: 1}
    group.work(2)
    for client in old + new:
        client.send(b"again")
    assert group.got() == {1: 11, 2: 6}
    assert group.counted(1, "state", "datagrams", "flows") == ("draining", 22, 11)
    assert group.counted(2, "state", "datagrams", "flows") == ("working", 6, 6)
    group.work(1)
    group.client().send(b"after the way back")
    new[6].send(b"is remembered")
    assert group.got() == {1: 1, 2: 1}
    assert group.status()["unrouted"] == 0


def test_a_flow_stays_with_its_socket(make):
    group = make()
    group.register(1, sockets=4)
    clients = [group.client() for _ in range(64)]
    for client in clients:
        for _ in range(3):
            client.send(b"%d" % client.fileno())
    (lists,) = group.read().values()
    assert sum(map(len, lists)) == 192 and all(lists)
    for one in lists:
        assert all(one.count(text) == 3 for text in one)


def test_stateless_everything_goes_to_the_working_generation(make):
    group = make(mode="stateless")
    group.register(1)
    clients = [group.client() for _ in range(5)]
    for client in clients:
        client.send(b"x")
    assert group.got() == {1: 5}
    group.register(2, work=True)
    for client in clients:
        client.send(b"x")
    assert group.got() == {2: 5}
    assert group.counted(1, "flows", "begun", "datagrams") == (0, 0, 5)


def test_a_cookie_names_the_socket(make):
    group = make(mode="cookie", cookie_offset=3)
    first = group.register(1, sockets=2)["cookies"]
    second = group.register(2, sockets=2, work=True)["cookies"]
    assert len({*first, *second}) == 4 and min(*first, *second) >= 0x80
    client = group.client()
    for byte in (*first, *first, second[1]):
        client.send(bytes([0, 0, 0, byte, 9]))
    assert [len(one) for one in group.read()[1]] == [2, 2]
    for datagram in (b"", b"abc", b"\x90\x90\x90\x10", b"\0\0\0\x7f", bytes([0, 0, 0, 0xff])):
        client.send(datagram)
    assert group.got() == {2: 5}
    assert group.counted(2, "stray", "datagrams") == (1, 6)
    group.drop(1)
    client.send(bytes([0, 0, 0, first[0]]))
    assert group.got() == {2: 1} and group.counted(2, "stray") == (2,)


def test_ipv6(lab, make):
    lab.sandbox.run(lab.namespace, "sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=0")
    group = make()
    for number in (1, 2):
        group.generations[number] = [group.socket(address="::1", family=socket.AF_INET6)]
        group.register(number)
    clients = [group.socket(port=None, family=socket.AF_INET6) for _ in range(6)]
    group.clients = clients
    for number in (1, 2):
        group.work(number)
        for client in clients[:number * 3]:
            client.sendto(b"x", ("::1", PORT))
    assert group.got() == {1: 6, 2: 3}
    assert group.status()["address"] == "[::1]:7000"


def test_sockets_that_the_holder_made(lab, make):
    group = make()
    for number in (1, 2):
        params = {"address": HERE, "port": 67, "name": f"made.{number}", "reuseport": True}
        with lab.client() as holder:
            result, fds = holder.call_fds("socket.udp", params)
        assert result == {"name": f"made.{number}", "created": True}
        group.generations[number] = [socket.socket(fileno=fds[0])]
        group.register(number)
        lab.call("fd.drop", {"name": f"made.{number}"})
    client = group.socket(port=None, reuse=False)
    for number in (1, 2):
        client.sendto(b"x", (HERE, 67))
        group.work(2)
    assert group.got() == {1: 2}
    client.close()


# ---- Full, and over ----------------------------------------------------------------------------


def test_a_full_table_remembers_no_more_and_evicts_nobody(make):
    group = make(flows=8)
    group.register(1)
    clients = [group.client() for _ in range(11)]
    for client in clients:
        client.send(b"x")
        client.send(b"x")
    assert group.got() == {1: 22}
    assert group.counted(1, "flows", "begun", "full", "datagrams") == (8, 8, 6, 22)
    group.register(2, work=True)
    for client in clients:
        client.send(b"x")
    assert group.got() == {1: 8, 2: 3}
    assert group.counted(2, "flows", "full") == (0, 3)


def test_a_flow_that_is_idle_for_longer_than_the_timeout_is_a_new_one(make):
    group, room = make(flows=3000, timeout_s=4), 3000
    group.register(1)
    clients = [group.client() for _ in range(4)]
    for client in clients:
        client.send(b"x")
    for number in range(room - len(clients)):
        with group.socket(address="127.1.0.1", port=10000 + number, reuse=False) as other:
            other.sendto(b"x", (HERE, PORT))
        read_all(group.generations[1][0])
    assert group.counted(1, "flows", "full") == (room, 0)
    group.register(2, work=True)
    deadline = time.monotonic() + 60
    while group.counted(1, "expired") != (room - 1,):
        assert time.monotonic() < deadline
        clients[0].send(b"alive")
        time.sleep(0.1)
    # The sweep made room, too: nothing came from all the others.
    assert group.counted(1, "flows", "begun", "expired") == (1, room, room - 1)
    for client in clients:
        client.send(b"x")
    assert group.got()[2] == 3
    assert group.counted(2, "flows", "full") == (3, 0)


def test_an_idle_flow_is_new_also_when_nobody_sweeps(lab, make):
    group = make(timeout_s=2)
    group.register(1)
    client = group.client()
    client.send(b"x")
    group.register(2, work=True)
    client.send(b"x")
    lab.kill()
    client.send(b"x")
    time.sleep(2.2)  # longer than timeout_s; there is nobody to ask
    client.send(b"x")
    assert group.got() == {1: 3, 2: 1}
    lab.start()
    assert group.counted(1, "flows", "begun", "expired") == (0, 1, 1)
    assert group.counted(2, "flows", "begun") == (1, 1)


# ---- Coming and going ------------------------------------------------------------------------


def test_a_generation_that_is_dropped_gets_nothing_more(lab, make):
    group = make()
    group.register(1, sockets=2)
    clients = [group.client() for _ in range(6)]
    for client in clients:
        client.send(b"x")
    group.register(2, work=True)
    names = [name for name in lab.call("fd.list")["names"] if name.startswith("group.test.1.")]
    assert names == ["group.test.1.0", "group.test.1.1"]
    group.drop(1)
    for client in clients:
        client.send(b"x")
    assert group.got() == {1: 6, 2: 6}
    assert lab.call("fd.list")["names"] == ["group.test.2.0"]
    assert group.status()["gone"] == {"datagrams": 6, "flows": 0, "begun": 6, "expired": 6, "full": 0, "stray": 0}
    assert group.counted(2, "flows") == (6,)


def test_the_working_generation_is_not_dropped_but_the_whole_group_is(lab, make):
    group = make()
    group.register(1)
    error = lab.refused("group.drop", {"name": "test", "generation": 1})
    assert error.code == CONFLICT and "working" in error.message
    group.register(2, work=True)
    lab.call("group.drop", {"name": "test"})
    assert lab.call("group.status") == {"groups": []}
    assert lab.call("fd.list")["names"] == [] and list(lab.pin("group").iterdir()) == []
    for _ in range(8):
        group.client().send(b"x")
    assert sum(group.got().values()) == 8


def test_what_waits_in_a_dead_servers_socket_is_taken_over(lab, make):
    group = make()
    group.register(1)
    client = group.client()
    client.send(b"asked of 1")
    group.generations.pop(1)[0].close()
    client.send(b"asked while nobody is there")
    group.register(2, work=True)
    client.send(b"asked when 2 is there")
    row = group.row(1)
    assert row["kept"] == 1 and row["waiting_bytes"] > 0 and row["overflowed"] == 0
    with lab.client() as holder:
        _, fds = holder.call_fds("fd.take", {"name": "group.test.1.0"})
        taken = socket.socket(fileno=fds[0])
    assert [text.split()[0] for text in read_all(taken)] == [b"asked"] * 3
    assert group.row(1)["waiting_bytes"] == 0
    group.drop(1)
    client.send(b"x")
    assert group.got() == {2: 1}
    taken.close()


def test_the_same_sockets_again_change_nothing_and_others_are_refused(lab, make):
    group = make()
    group.register(1, sockets=2)
    client = group.client()
    client.send(b"x")
    assert group.register(1)["flows"] == 1
    other = group.socket()
    for fds in ([other], [group.generations[1][0], other], group.generations[1][::-1]):
        error = lab.refused("group.register", group.params(1), [s.fileno() for s in fds])
        assert error.code == CONFLICT and "other sockets" in error.message
    other.close()
    assert group.counted(1, "kept", "flows", "sockets") == (2, 1, 2)
    client.send(b"x")
    assert group.got() == {1: 2}


def test_followers_are_told(lab, make):
    group, schema = make(), openrpc.Document("holder")
    with lab.client() as follower:
        follower.call("holder.subscribe")
        group.register(1)
        group.register(2, work=True)
        group.register(2)
        group.drop(1)
        told = [follower.next_notification(20)["params"] for _ in range(4)]
        assert follower.next_notification(0.1) is None
    assert [(event["generation"], event["state"]) for event in told] == [
        (1, "registered"), (2, "registered"), (2, "working"), (1, "dropped")]
    for event in told:
        assert schema.errors_of({"$ref": "#/components/schemas/event"}, event) == [] and event["name"] == "test"


def test_eight_generations_at_a_time(lab, make):
    group = make()
    for number in range(1, 9):
        group.register(number)
    ninth = group.socket()
    error = lab.refused("group.register", group.params(9), [ninth.fileno()])
    assert error.code == LIMIT and "8 generations" in error.message
    ninth.close()
    group.drop(3)
    group.generations.pop(3)[0].close()
    group.register(9, work=True)
    group.client().send(b"x")
    assert group.got() == {9: 1}


@pytest.mark.parametrize("socket_options, why", [
    ({"reuse": False}, "SO_REUSEPORT is not set"), ({"port": None}, "not bound"),
    ({"port": 7001}, "bound to 127.0.0.1:7001"), ({"address": "127.0.0.2"}, "bound to 127.0.0.2:7000"), (None, "no UDP socket")])
def test_a_socket_that_does_not_belong_is_refused_and_nothing_changes(lab, make, socket_options, why):
    group = make()
    group.register(1)
    with entered(lab.namespace):
        tcp = socket.socket()
    if socket_options == {"reuse": False}:
        socket_options["port"] = 7002
    wrong = tcp if socket_options is None else group.socket(**socket_options)
    error = lab.refused("group.register", group.params(2), [wrong.fileno()])
    assert why in error.message and error.code in (INVALID_PARAMS, CONFLICT)
    tcp.close()
    wrong.close()
    assert [row["generation"] for row in group.status()["generations"]] == [1]
    assert lab.call("fd.list")["names"] == ["group.test.1.0"]


@pytest.mark.parametrize("options, why", [
    ({"mode": "random"}, 'params/options/mode: "random": must be flow, stateless or cookie'),
    ({"timeout_s": 0}, "params/options/timeout_s: 0:"), ({"flows": 1048577}, "params/options/flows: 1048577:"),
    ({"cookie_offset": 1401}, "params/options/cookie_offset: 1401:"), ({"colour": 1}, "params/options/colour")])
def test_options_that_make_no_sense_are_refused(lab, make, options, why):
    group = make()
    made = group.socket()
    error = lab.refused("group.register", group.params(1, **options), [made.fileno()])
    made.close()
    assert error.code == INVALID_PARAMS and why in error.message
    assert lab.call("group.status") == {"groups": []} and list(lab.pin("group").iterdir()) == []


def test_requests_that_name_nothing_are_refused(lab, make):
    group = make(mode="flow", flows=100)
    group.register(1)
    made = group.socket()
    for method, params, fds, code in (
            ("group.register", {"name": "n" * 32, "generation": 1}, [made], INVALID_PARAMS),
            ("group.register", {"name": "test", "generation": 2}, [], INVALID_PARAMS),
            ("group.register", {"name": "test", "generation": 2}, [made] * 17, INVALID_PARAMS),
            ("group.register", {"name": "test", "generation": 2}, [made] * 2, CONFLICT),
            ("group.register", {"name": "test", "generation": 2, "options": {"flows": 101}}, [made], CONFLICT),
            ("group.set_working", {"name": "test", "generation": 2}, [], NOT_FOUND),
            ("group.set_working", {"name": "other", "generation": 1}, [], NOT_FOUND),
            ("group.status", {"name": "other"}, [], NOT_FOUND), ("group.drop", {"name": "other"}, [], NOT_FOUND),
            ("group.drop", {"name": "test", "generation": 2}, [], NOT_FOUND)):
        assert lab.refused(method, params, [s.fileno() for s in fds]).code == code, (method, params)
    made.close()
    assert [row["generation"] for row in group.status()["generations"]] == [1]


def test_a_socket_is_in_one_group_only(lab, make):
    group, other = make(), make(name="other")
    group.register(1)
    error = lab.refused("group.register", other.params(1), [group.generations[1][0].fileno()])
    assert error.code == CONFLICT and "in a group already" in error.message
    assert [entry["name"] for entry in lab.call("group.status")["groups"]] == ["test"]


# ---- The holder dies ---------------------------------------------------------------------------


def test_with_the_holder_dead_datagrams_go_where_they_went(lab, make):
    group = make()
    group.register(1)
    old = [group.client() for _ in range(5)]
    for client in old:
        client.send(b"x")
    group.register(2, work=True)
    lab.kill()
    new = [group.client() for _ in range(4)]
    for client in old + new:
        client.send(b"x")
    assert group.got() == {1: 10, 2: 4}
    lab.start()
    assert group.counted(1, "datagrams", "flows", "state", "kept") == (10, 5, "draining", 0)
    for number in (1, 2):
        group.register(number)
    assert group.counted(1, "datagrams", "flows", "state", "kept") == (10, 5, "draining", 1)
    group.register(3, work=True)
    for client in (*old, *new, group.client()):
        client.send(b"x")
    assert group.got() == {1: 5, 2: 4, 3: 1}


def test_sockets_that_the_service_manager_kept_are_kept_on(lab, make):
    """As systemd starts it again: with what it was given, also what belongs to nobody any more."""
    group = make()
    group.register(1)
    lab.kill()
    (owned,), stray = group.generations[1], group.socket(port=7001)
    launch = (f"import os, sys; os.dup2({stray.fileno()}, 20); os.dup2({owned.fileno()}, 3); os.dup2(20, 4); os.close(20); "
              "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='group.test.1.0:group.test.2.0'); "
              "os.execv(sys.argv[1], sys.argv[1:])")
    lab.process = lab.sandbox.start(lab.namespace, sys.executable, "-c", launch, BINARY, "--state", lab.state, "--group", GROUP,
                                    log="holder.log", pass_fds=[owned.fileno(), stray.fileno()])
    wait_for("the holder", lab.has_come_up)
    stray.close()
    owned.close()
    assert lab.call("fd.list")["names"] == ["group.test.1.0"]
    group.client().send(b"x")
    row = group.row(1)
    assert (row["kept"], row["datagrams"]) == (1, 1) and row["waiting_bytes"] > 0


def test_a_generation_whose_sockets_are_all_closed_is_gone(lab, make):
    group = make()
    group.register(1)
    group.register(2, work=True)
    lab.kill()
    for number in (1, 2):
        group.generations.pop(number)[0].close()
    lab.start()
    wait_for("both to be gone", lambda: group.status()["generations"] == [])
    # Nobody is there: the next ones may be bound elsewhere.
    group.generations[3] = [group.socket(port=PORT + 1)]
    group.register(3)
    client = group.socket(port=None, reuse=False)
    group.clients.append(client)
    client.sendto(b"x", (HERE, PORT + 1))
    assert group.got() == {3: 1} and group.counted(3, "state", "datagrams") == ("working", 1)
    assert group.status()["address"] == f"{HERE}:{PORT + 1}"


def test_what_a_death_left_half_made_is_removed(lab, make):
    group = make()
    group.register(1)
    lab.kill()
    lab.pin("group/+half").mkdir()
    lab.start()
    assert [path.name for path in lab.pin("group").iterdir()] == ["test"]
    group.client().send(b"x")
    assert group.got() == {1: 1}
