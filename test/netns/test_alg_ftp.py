# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# FTP behind the gateway with a real server and real clients: vsftpd outside; curl and
# lftp inside, passive and active, while the daemons come and go.
import fcntl
import os
import re
import socket
import struct
import subprocess
import termios
import time

import pytest

import sandbox
from lab import GATEWAY, INTERNET, Lab, default_config, wait_for

ALICE = "02:00:00:00:00:0a"
CONTENT = {"small": b"hello from outside\n", "large": os.urandom(700_000)}
SERVER = """listen=YES
listen_address={address}
run_as_launching_user=NO
anonymous_enable=YES
anon_root={root}
anon_upload_enable=NO
no_anon_password=YES
local_enable=NO
port_enable=YES
port_promiscuous=NO
connect_from_port_20=YES
seccomp_sandbox=NO
background=NO
isolate_network=NO
xferlog_enable=NO
idle_session_timeout=300
secure_chroot_dir={empty}
ftp_username=ftp
"""


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["sizes"]["flows"] = 4096
    with Lab(config) as lab:
        lab.start_daemons()
        lab.alice = lab.client("alice", ALICE)
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        assert lab.alice.ping(INTERNET, 1) == 1
        root = lab.directory / "ftp"
        root.mkdir(mode=0o755)
        for name, data in CONTENT.items():
            (root / name).write_bytes(data)
        lab.directory.chmod(0o755)
        empty = lab.directory / "empty"
        empty.mkdir(mode=0o755)
        file = lab.directory / "vsftpd.conf"
        file.write_text(SERVER.format(address=INTERNET, root=root, empty=empty))
        lab.start(lab.internet, "vsftpd", file, log="vsftpd.log")
        wait_for("vsftpd to listen", lambda: ":21 " in lab.run(lab.internet, "ss", "-Hltn").stdout)
        yield lab


def pool_set(lab, **members):
    lab.config["cgnat"]["pools"][0].update(members)
    lab.write_config()
    return lab.call("config.reload")


@pytest.fixture
def ftp(lab):
    """The pool looks after FTP."""
    pool_set(lab, alg=["ftp"])
    yield lab
    pool_set(lab, alg=[], filtering="endpoint-independent")


@pytest.fixture
def said_once(lab):
    """Alice's kernel does not send again what a busy controld has not answered yet."""
    for more in (["rto_min", "10s"], []):
        lab.alice.run("ip", "route", "replace", "default", "via", GATEWAY, "dev", "eth0", *more)
        if more:
            yield


def counted(lab, before):
    return {name: packets - before[name] for name, packets in lab.drops().items() if packets != before[name]}


def fetch(lab, name, *options):
    """The file by curl, or None."""
    result = lab.alice.run("curl", "-s", "-S", "--max-time", "30", *options, f"ftp://{INTERNET}/{name}", check=False,
                           text=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return result.stdout if result.returncode == 0 else None


ACTIVE = {"PORT": ("--ftp-port", "-", "--disable-eprt"), "EPRT": ("--ftp-port", "-")}


def test_rfc4787_req10_rfc5382_req6_off_by_default_only_passive_works(lab):
    assert lab.call("cgnat.pools")["pools"][0]["alg"] == []
    before = lab.drops()
    assert fetch(lab, "small", "--disable-epsv") == CONTENT["small"]
    assert fetch(lab, "small") == CONTENT["small"]
    assert fetch(lab, "small", *ACTIVE["PORT"]) is None
    assert not {name for name in counted(lab, before) if "ftp" in name or "alg" in name}


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("command", ACTIVE)
def test_rfc4787_req10a_active_mode_works_where_the_pool_looks_after_it(ftp, said_once, command, name):
    before = ftp.drops()
    assert fetch(ftp, name, *ACTIVE[command]) == CONTENT[name]
    moved = counted(ftp, before)
    assert (moved["punt_ftp"], moved["inject_expect"]) == (1, 1)
    assert not {"forward_alg_plain", "drop_alg_wait", "drop_cgnat_no_mapping"} & set(moved)


@pytest.mark.parametrize("filtering", ["address-dependent", "address-and-port-dependent"])
def test_the_server_is_let_in_whatever_the_filtering(ftp, filtering):
    pool_set(ftp, filtering=filtering)
    assert fetch(ftp, "large", *ACTIVE["EPRT"]) == CONTENT["large"]


def test_passive_mode_goes_on_as_before(ftp):
    before = ftp.drops()
    assert fetch(ftp, "large") == CONTENT["large"]
    assert fetch(ftp, "small", "--disable-epsv") == CONTENT["small"]
    assert "punt_ftp" not in counted(ftp, before)


class Client:
    """lftp with one control connection, told what to do line by line."""

    def __init__(self, lab):
        self.lab, self.out = lab, lab.directory / "lftp"
        self.out.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{lab.alice.namespace}", "lftp", "--norc", "-d"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.out, preexec_fn=sandbox.die_with_parent,
            env=dict(os.environ, HOME=str(self.out)))
        self.number = 0
        for line in ("set ftp:passive-mode off", "set ftp:prefer-epsv off", "set net:max-retries 1", "set net:timeout 120",
                     "set ftp:use-feat no", "set cmd:interactive no", f"open -u anonymous,x {INTERNET}"):
            self.say(line)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def get(self, name):
        """Fetches the file once more: what came."""
        self.number += 1
        target = self.out / f"{name}.{self.number}"
        self.say(f"get {name} -o {target.name} && echo got {self.number}")
        return target

    def close(self):
        self.say("exit")
        self.process.stdin.close()
        said = self.process.stdout.read()
        self.process.wait(60)
        self.process.stdout.close()
        return said


def arrived(target, data):
    wait_for(f"{target.name}", lambda: target.exists() and target.stat().st_size == len(data))
    assert target.read_bytes() == data


def test_one_control_connection_across_restarts_and_swaps(ftp):
    """Nine commands on it, each longer than it was: sequence numbers drift, and whoever is replaced does not matter."""
    before = ftp.drops()
    client = Client(ftp)
    try:
        for _ in range(2):
            arrived(client.get("small"), CONTENT["small"])
        ftp.controld.kill()
        ftp.reap(ftp.controld)
        asked = client.get("small")     # waits for whoever comes
        time.sleep(0.5)  # nobody lets it through
        assert not asked.exists() or asked.stat().st_size == 0
        ftp.start_controld()
        arrived(asked, CONTENT["small"])
        arrived(client.get("large"), CONTENT["large"])
        with ftp.rpc("holder") as holder, open(ftp.object, "rb") as file:
            old = holder.call("holder.status")["generation"]
            new = holder.call("object.stage", {"name": "again"}, [file.fileno()])["generation"]
            holder.call("swap.commit", {"generation": new, "expected": old})
        for _ in range(5):
            arrived(client.get("small"), CONTENT["small"])
    finally:
        said = client.close()
    moved = counted(ftp, before)
    ports = [line for line in said.splitlines() if re.search(r"---> (PORT|EPRT) ", line)]
    assert len(ports) == 9 and said.count("Connecting to") == 1, said
    assert moved["inject_expect"] >= 9 and "forward_alg_plain" not in moved


class Control:
    """A control connection of alice's, byte by byte."""

    def __init__(self, lab):
        with sandbox.entered(lab.alice.namespace):
            self.socket = socket.create_connection((INTERNET, 21))
            self.listener = socket.create_server(("0.0.0.0", 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener.settimeout(60)
        self.lines = self.socket.makefile("r", newline="\r\n")
        self.says("220")
        assert self.asks("USER anonymous").startswith("230")  # no_anon_password

    def says(self, code):
        line = self.lines.readline()
        assert line.startswith(code), line
        return line

    def asks(self, command):
        self.socket.sendall(command.encode() + b"\r\n")
        return self.lines.readline()

    def port(self, address):
        return "PORT {},{},{}".format(address.replace(".", ","), *divmod(self.listener.getsockname()[1], 256))

    def close(self):
        for one in (self.lines, self.socket, self.listener):
            one.close()


@pytest.fixture
def control(ftp):
    control = Control(ftp)
    yield control
    control.close()


def test_what_names_another_address_goes_out_as_it_is(ftp, control):
    before = ftp.drops()
    assert control.asks(control.port("10.9.9.9")).startswith("500")
    assert control.asks("PORT nonsense").startswith("500")
    assert control.asks("NOOP").startswith("200")
    moved = counted(ftp, before)
    assert (moved["punt_ftp"], moved["forward_alg_plain"]) == (2, 2) and "inject_expect" not in moved


def unacknowledged(connection):
    return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]


def test_a_command_in_two_segments_goes_out_as_it_is(ftp, control):
    command = control.port(ftp.alice.address)
    control.socket.sendall(command[:12].encode())
    wait_for("it to be acknowledged", lambda: not unacknowledged(control.socket))
    assert control.asks(command[12:]).startswith("500")  # an address that is not the client's
    assert control.asks("NOOP").startswith("200")


def test_what_follows_in_the_same_segment_stays(ftp, control):
    for _ in range(3):
        control.socket.sendall(f"{control.port(ftp.alice.address).lower()}\r\nRETR small\r\n".encode())
        data, peer = control.listener.accept()
        with data:
            assert data.makefile("rb").read() == CONTENT["small"] and peer == (INTERNET, 20)
        for code in ("200", "150", "226"):
            control.says(code)
    assert control.asks("NOOP").startswith("200")


def test_what_comes_at_once_behind_a_command_waits_for_it(ftp, control):
    """A client that does not wait for the answer: its next segments are dropped and sent again."""
    control.socket.sendall(f"{control.port(ftp.alice.address)}\r\n".encode())
    control.socket.sendall(b"RETR small\r\n")
    data, _ = control.listener.accept()
    with data:
        assert data.makefile("rb").read() == CONTENT["small"]
    for code in ("200", "150", "226"):
        control.says(code)


def used(lab):
    return {entry["name"]: entry for entry in lab.call("maps")["maps"]}["alg"]["used"]


def test_entries_are_shown_among_the_maps(ftp):
    assert fetch(ftp, "small", *ACTIVE["PORT"]) == CONTENT["small"]
    shown = {entry["name"]: entry for entry in ftp.call("maps")["maps"]}["alg"]
    assert shown["max_entries"] == 16384 and shown["used"] >= 1


def test_an_entry_ends_with_its_mapping(ftp):
    """By its timer, and with its session: what is left over is looked for, and not believed meanwhile."""
    pool_set(ftp, timeouts={"tcp_closing": 1, "tcp_established": 2, "tcp_reset": 1, "tcp_partial": 1})
    control = Control(ftp)
    assert control.asks(control.port(ftp.alice.address)).startswith("200")
    control.close()
    assert used(ftp) >= 1
    time.sleep(3)  # every timer above runs out while controld is there; nothing shows it
    ftp.stop(ftp.controld)
    ftp.start_controld()
    wait_for("the entries to go", lambda: used(ftp) == 0)
    pool_set(ftp, timeouts={})
    control = Control(ftp)
    assert control.asks(control.port(ftp.alice.address)).startswith("200")
    assert used(ftp) == 1
    ftp.call("session.disconnect", {"address": ftp.alice.address})
    wait_for("its entry to go", lambda: used(ftp) == 0)
    control.close()
