# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The standard lab: subscribers, an access network, the gateway with the real
# daemons, the internet, and beside them a second pair of interfaces for load.
#
#   client --- (tagger) --- bridge --- access0 [        ] core0 --- internet
#   client ----------------/                   [ gateway ]
#                         load: up0 --- access1 [        ] core1 --- down0 :load
#
# Clients are real: udhcpc, the kernel's TCP. The bridge joins them on one access
# interface. A tagger puts a client behind one or two VLAN tags (vlan.bpf.c).
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import sandbox
import traffic
from rpc import RpcClient

BUILD = pathlib.Path(os.environ.get("BNG_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build" / "test"))
PATIENCE_S = float(os.environ.get("BNG_TEST_PATIENCE_S", 60))  # more on a machine that is emulated
HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
ACCESS_MTU = 1508  # room for two tags around a full-size packet
AS_BNG = ["setpriv", "--reuid=bng", "--regid=bng", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
          "--bounding-set=-all"]

GATEWAY = "10.0.0.1"
LOAD_GATEWAY = "10.128.0.1"
INTERNET = "198.18.0.1"         # a server out there
EXEMPT = "192.0.2.1"            # one that sees inner addresses
CORE, CORE_PEER = "198.51.100.1", "198.51.100.2"
LOAD_CORE, LOAD_CORE_PEER = "198.51.100.5", "198.51.100.6"
LOAD_REMOTE = "198.19.0.0/16"
POOL = "203.0.113.0/28"


def default_config():
    return {
        "interfaces": [{"name": "access0", "role": "access"}, {"name": "access1", "role": "access"},
                       {"name": "core0", "role": "core"}, {"name": "core1", "role": "core"}],
        "sizes": {"subscribers": 131072, "public_addresses": 64, "port_blocks": 8192, "exempt": 1024},
        "gateways": [{"interface": "access0", "address": GATEWAY}, {"interface": "access1", "address": LOAD_GATEWAY}],
        "dhcp4": {"pools": [{
            "name": "homes", "interfaces": ["access0"], "prefix": "10.0.0.0/16", "first": "10.0.0.10",
            "last": "10.0.255.254", "router": GATEWAY, "dns": [EXEMPT], "mtu": 1500, "lease_seconds": 3600,
            "nat_pool": "default"}]},
        "cgnat": {"pools": [{"name": "default", "prefixes": [POOL], "block_size": 512, "blocks_per_subscriber": 4,
                             "mappings_per_subscriber": 2048}],
                  "exempt": ["192.0.2.0/24"]},
        # Each comparison loads two objects more, which takes seconds: test_verify.py has it.
        "issu": {"verify": {"enabled": False}},
    }


def wait_for(what, condition, timeout=PATIENCE_S, interval=0.02):
    """The first true value of condition(); an error that names what never came."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(interval)


class Client:
    """A subscriber's own machine: namespace, eth0, perhaps behind tags."""

    def __init__(self, lab, name, mac, tags, mtu=1500):
        self.lab, self.name, self.mac, self.tags, self.mtu = lab, name, mac, tags, mtu
        self.namespace = lab.namespace(name)
        self.lease_file = lab.directory / f"{name}.lease"
        self.dhcp_process = None
        lab.attach_to_bridge(self)

    def run(self, *command, **options):
        return self.lab.run(self.namespace, *command, **options)

    def lease(self):
        try:
            lines = self.lease_file.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.split("=", 1) for line in lines)

    @property
    def address(self):
        return self.lease().get("ip", "")

    def start_dhcp(self, again=1):
        """`again`: seconds until it says once more what was not answered; many, where messages are counted."""
        environment = dict(os.environ, BNG_LEASE_FILE=str(self.lease_file))
        self.dhcp_process = self.lab.start(
            self.namespace, "udhcpc", "-f", "-i", "eth0", "-s", HERE / "udhcpc.sh", "-t", "20", "-T", again, "-A", "1",
            "-O", "mtu", log=f"{self.name}.log", env=environment)

    def wait_bound(self, timeout=PATIENCE_S):
        return wait_for(f"a lease of {self.name}", lambda: self.address, timeout)

    def renew(self):
        self.dhcp_process.send_signal(signal.SIGUSR1)

    def renewals(self):
        """That its script is done with."""
        return self.lease_file.with_name(self.lease_file.name + ".log").read_text().count("renew ")

    def ping(self, address, count=3, interval=0.05, patience=PATIENCE_S, **options):
        """Replies to so many echo requests; `patience`: seconds for those that are missing, few where none is to come."""
        return traffic.echoes(self.namespace, address, count, interval, patience, **options)

    def set_static(self, address, length=16):
        self.run("ip", "address", "replace", f"{address}/{length}", "dev", "eth0")
        self.run("ip", "route", "replace", "default", "via", GATEWAY, "dev", "eth0")


class Lab(sandbox.Sandbox):
    def __init__(self, config=None, keep=False):
        super().__init__(keep)
        try:
            self.config = config or default_config()
            self.state = self.directory / "run"
            self.config_file = self.directory / "bng.json"
            self.holder = self.controld = self.bngsync = None
            self.launcher = ()  # a command that becomes bng-controld
            self._install()
            self._build_topology()
        except BaseException:
            self.close()
            raise

    def _install(self):
        """Copies what runs as user bng to where that user can read it."""
        for name in ("bpfholder", "bng-controld", "bngsync", "bngcli"):
            shutil.copy(BUILD / "bin" / name, self.directory / name)
        self.object, self.bridge = self.directory / "bng.bpf.o", self.directory / "bng-bridge.bpf.o"
        for path in (self.object, self.bridge):
            shutil.copy(BUILD / "bpf" / path.name, path)
            path.chmod(0o644)

    def wire(self, namespace, *arguments):
        self.run(namespace, BUILD / "bin" / "lab-wire", BUILD / "bpf" / "lab_vlan.bpf.o", *arguments)

    def _build_topology(self):
        self.gateway, self.access = self.namespace("gateway"), self.namespace("access")
        self.internet, self.load = self.namespace("internet"), self.namespace("load")
        self.veth(self.gateway, "access0", self.access, "uplink", ACCESS_MTU)
        self.veth(self.gateway, "core0", self.internet, "eth0")
        self.veth(self.gateway, "access1", self.load, "up0", ACCESS_MTU)
        self.veth(self.gateway, "core1", self.load, "down0")
        self.wire(self.access, "pass", "uplink")
        self.wire(self.internet, "pass", "eth0")
        self.ip(self.access, "link add bridge type bridge")
        self.ip(self.access, f"link set bridge up mtu {ACCESS_MTU}")
        self.ip(self.access, "link set uplink master bridge")
        self._address_core()

    def _address_core(self):
        settings = ["net.ipv4.ip_forward=1"]
        settings += [f"net.ipv4.conf.{name}.rp_filter=0" for name in
                     ("all", "default", "access0", "access1", "core0", "core1")]
        self.run(self.gateway, "sysctl", "-qw", *settings)
        self.ip(self.gateway, f"address add {CORE}/30 dev core0")
        self.ip(self.gateway, f"address add {LOAD_CORE}/30 dev core1")
        self.ip(self.gateway, f"route add default via {CORE_PEER}")
        self.ip(self.gateway, f"route add {LOAD_REMOTE} via {LOAD_CORE_PEER}")
        load_mac = self.mac(self.load, "down0")
        self.ip(self.gateway, f"neighbour add {LOAD_CORE_PEER} lladdr {load_mac} dev core1 nud permanent")
        self.ip(self.internet, f"address add {CORE_PEER}/30 dev eth0")
        for address in (INTERNET, EXEMPT):
            self.ip(self.internet, f"address add {address}/32 dev lo")
        for prefix in ("203.0.113.0/24", "10.0.0.0/8"):
            self.ip(self.internet, f"route add {prefix} via {CORE}")

    def ip(self, namespace, arguments):
        return sandbox.run(["ip", "-n", namespace, *arguments.split()])

    def mac(self, namespace, interface):
        links = json.loads(sandbox.run(["ip", "-j", "-n", namespace, "link", "show", interface]).stdout)
        return links[0]["address"]

    def attach_to_bridge(self, client):
        port = f"port{len(self.namespaces)}"
        if client.tags:
            tagger = self.namespace(f"{client.name}-tagger")
            self.veth(client.namespace, "eth0", tagger, "client")
            self.veth(tagger, "trunk", self.access, port, ACCESS_MTU)
            self.wire(tagger, "tag", "client", "trunk", *client.tags)
            self.wire(client.namespace, "pass", "eth0")
            self.wire(self.access, "pass", port)
        else:
            self.veth(client.namespace, "eth0", self.access, port, client.mtu)
        self.ip(client.namespace, f"link set eth0 address {client.mac}")
        self.ip(self.access, f"link set {port} master bridge")

    def client(self, name, mac, tags=(), mtu=1500):
        """tags: outer first, "TPID:VID" such as "88a8:100"; mtu: of one without tags."""
        return Client(self, name, mac, list(tags), mtu)

    # ---- daemons ----

    def write_config(self):
        partial = self.config_file.with_suffix(".new")
        partial.write_text(json.dumps(self.config, indent=1))
        partial.chmod(0o644)
        partial.rename(self.config_file)

    def socket_path(self, server):
        return self.state / ("holder.sock" if server == "holder" else f"control/{server}.sock")

    def rpc(self, server="controld", timeout=PATIENCE_S):
        return RpcClient(self.socket_path(server), timeout)

    def call(self, method, params=None, server="controld", fds=()):
        with self.rpc(server) as client:
            return client.call(method, params, fds)

    def reload(self):
        """What config.reload says that changed. The file is written while controld is stopped, so that it is asked
        before it has looked at the file by itself."""
        with self.rpc() as client:
            self.controld.send_signal(signal.SIGSTOP)
            try:
                self.write_config()
                request = client.begin("config.reload")
            finally:
                self.controld.send_signal(signal.SIGCONT)
            return client.end(request)

    def answers(self, server, method, pid):
        """True when the process with this id answers the method."""
        try:
            with self.rpc(server, timeout=2) as client:
                return client.call(method)["pid"] == pid
        except (OSError, ValueError):
            return False

    def start_holder(self, environment=None, through=(), arguments=()):
        """`through`: a command that the holder is started by, such as setpriv with its options."""
        self.holder = self.start(self.gateway, *through, self.directory / "bpfholder", "--state", self.state, "--group", "bng",
                                 *arguments, log="holder.log", env=dict(os.environ, **(environment or {})))
        self.wait_daemon(self.holder, "holder", "holder.status")

    def start_controld(self, *options, wait=True, through=()):
        """`through`: a command that it is started by, as with start_holder."""
        self.write_config()
        self.controld = self.start(self.gateway, *through, *AS_BNG, *self.launcher, self.directory / "bng-controld",
                                   "--config", self.config_file, "--state", self.state, "--object", self.object, *options,
                                   log="controld.log")
        if wait:
            self.wait_daemon(self.controld, "controld", "status")

    def start_controld_after_reboot(self):
        """In a mount namespace where the kernel says that it is another boot."""
        boot_id = self.directory / "boot_id"
        boot_id.write_text("00000000-0000-4000-8000-000000000000\n")
        boot_id.chmod(0o644)
        self.start_controld(through=["unshare", "--mount", "sh", "-c",
                                     'mount --bind "$0" /proc/sys/kernel/random/boot_id; exec "$@"', boot_id])

    def start_bngsync(self, *options):
        folder = self.state / "store"
        if not folder.exists():
            folder.mkdir(mode=0o700)
            shutil.chown(folder, "bng", "bng")
        self.bngsync = self.start(self.gateway, *AS_BNG, self.directory / "bngsync", "--state", self.state, "--store",
                                  folder / "sync.db", "--group", "bng", *options, log="bngsync.log")
        self.wait_daemon(self.bngsync, "bngsync", "sync.status")

    def wait_daemon(self, process, server, method):
        def ready():
            if process.poll() is not None:
                raise RuntimeError(f"{server} ended with {process.returncode}:\n{self.log(server)}")
            return self.answers(server, method, process.pid)
        wait_for(f"{server} to answer; its log:\n{self.log(server)}", ready)

    def start_daemons(self):
        self.start_holder()
        self.start_controld()

    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    def cli(self, *arguments, check=True, **options):
        return sandbox.run([str(self.directory / "bngcli"), "--state", str(self.state), *map(str, arguments)],
                           check=check, **options)

    def cli_json(self, *arguments):
        return json.loads(self.cli("--json", *arguments).stdout)

    def drops(self):
        """Packets by verdict name."""
        return {reason["name"]: reason["packets"] for reason in self.call("drops")["reasons"]}

    def digest(self):
        return self.call("cgnat.digest")

    def mappings(self):
        """(protocol, inner, inner port) -> (public, public port); without ICMP, which is gone in a minute."""
        reply = self.call("cgnat.mappings", {"limit": 20000})
        if reply["total"] != len(reply["mappings"]):
            raise RuntimeError(f"{len(reply['mappings'])} of {reply['total']} mappings listed")
        return {(entry["protocol"], entry["inner"], entry["inner_port"]): (entry["public"], entry["public_port"])
                for entry in reply["mappings"] if entry["protocol"] != "icmp"}

    def sessions(self):
        """id -> (address, MAC, interface)."""
        found, after = {}, 0
        with self.rpc() as controld:
            while after is not None:
                reply = controld.call("session.list", {"limit": 5000, "after": after})
                found.update({entry["id"]: (entry["address"], entry["mac"], entry["interface"])
                              for entry in reply["sessions"]})
                after = reply.get("next")
        return found

    def programs(self):
        """Interface -> id of the program that runs there, read from the kernel."""
        links = json.loads(sandbox.run(["ip", "-j", "-d", "-n", self.gateway, "link", "show"]).stdout)
        return {link["ifname"]: link["xdp"]["prog"]["id"] for link in links if "xdp" in link}

    def send_frames(self, namespace, interface, frames):
        """Puts whole Ethernet frames on a wire, tags in the data; returns when all are sent."""
        with sandbox.open_wire(namespace, interface) as sender:
            for frame in frames:
                sender.send(bytes(frame))

    def reap(self, process):
        """Collects a daemon that was killed by a signal of ours."""
        process.wait(60)
        self.processes.remove(process)

    def second_build(self, *flags, name="bng2", top=TOP):
        """The data plane compiled once more, as an upgrade would bring it; returns the object's path."""
        target = self.directory / f"{name}.bpf.o"
        if flags or top != TOP:
            compile_object(target, flags, top)
        else:
            shutil.copy(plain_second_build(), target)
        target.chmod(0o644)
        return target


def plain_second_build():
    """The one that differs in nothing is made once in a run."""
    kept = BUILD / "second.bpf.o"
    sources = [path.stat().st_mtime for path in (TOP / "dataplane").rglob("*.[ch]")]
    if not kept.exists() or kept.stat().st_mtime <= max(sources):
        partial = kept.with_suffix(f".{os.getpid()}")
        try:
            compile_object(partial, (), TOP)
            partial.rename(kept)
        finally:
            partial.unlink(missing_ok=True)
    return kept


def compile_object(target, flags, top):
    """The data plane of a source tree."""
    arch = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    sandbox.run(["clang", "-std=gnu17", "-O2", "-g", "-target", "bpf", "-mcpu=v3", f"-I{top}",
                 f"-I/usr/include/{arch}", *flags, "-c", str(top / "dataplane" / "bng.bpf.c"), "-o", str(target)])
    sandbox.run(["llvm-strip", "-g", str(target)])
