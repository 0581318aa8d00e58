# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What is measured. Every kind of gateway starts on a Place of its own:
#   bare      XDP that only redirects: the bound
#   kernel    the kernel's forwarding
#   nftables  the same with source NAT to as many public addresses as Holdfast has
#   holdfast  bpfholder and bng-controld, sessions opened by RPC; "holdfast+NAME" with
#             a feature of features.py on
#   direct    Holdfast's data plane alone, its maps filled by bng-bench-gateway
import ipaddress
import json
import os
import pathlib
import shutil
import time

import features
import sandbox
import topology
from rpc import RpcClient

CONNTRACK = {"net.netfilter.nf_conntrack_max": 4194304, "net.netfilter.nf_conntrack_buckets": 1048576}
AS_BNG = ["setpriv", "--reuid=bng", "--regid=bng", "--clear-groups", "--no-new-privs", "--inh-caps=-all",
          "--bounding-set=-all"]
SESSIONS_PER_CALL = 5000
START_TIMEOUT = 60


class Gateway:
    """One kind, one case: a place, the gateway in it, the meter around it."""
    check_mac = True

    def __init__(self, build, case, options, feature=None):
        self.build, self.case, self.options, self.feature = build, case, options, feature
        self.place = topology.Place(case.queues)
        try:
            self.start()
            self.meter = topology.start_meter(build, self.place, case, self.check_mac)
        except BaseException:
            self.place.close()
            raise

    def start(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.place.close()

    def bench_gateway(self, kind, *arguments):
        return self.place.serve("gateway", self.place.gateway, self.build / "bin" / "bng-bench-gateway", kind,
                                "--access", "access0", "--core", "core0", *arguments)


class Bare(Gateway):
    check_mac = False

    def start(self):
        self.bench_gateway("bare", "--object", self.build / "bpf" / "bare.bpf.o")


class Direct(Gateway):
    def start(self):
        case = self.case
        self.bench_gateway("direct", "--object", self.options.object or self.build / "bpf" / "bng.bpf.o",
                           "--subscribers", case.subscribers, "--address", topology.FIRST_SUBSCRIBER,
                           "--mac", f"{topology.FIRST_MAC:x}", "--gateway", topology.GATEWAY,
                           "--public", topology.FIRST_PUBLIC, "--publics", case.publics,
                           "--block-shift", case.block_size.bit_length() - 1, "--max-blocks", case.blocks)


class Kernel(Gateway):
    """Every subscriber is behind one next hop: 100,000 neighbour entries would be another benchmark."""
    check_mac = False

    def start(self):
        place = self.place
        for interface in ("access0", "core0"):
            place.run(place.gateway, "ethtool", "-K", interface, "gro", "on")
        place.ip(f"address add {topology.ACCESS}/30 dev access0")
        place.ip(f"neighbour add {topology.ACCESS_PEER} lladdr {place.mac(place.access, 'acc0')} dev access0 nud permanent")
        place.ip(f"route add 10.0.0.0/9 via {topology.ACCESS_PEER}")


class Nftables(Kernel):
    def start(self):
        super().start()
        place, last = self.place, topology.FIRST_PUBLIC + self.case.publics - 1
        place.run(place.gateway, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=3600",
                  "net.netfilter.nf_conntrack_udp_timeout_stream=3600")
        place.run(place.gateway, "nft", "-f", "-", input=f"""
            table ip bench {{
                chain out {{
                    type nat hook postrouting priority srcnat;
                    oifname "core0" snat to {topology.FIRST_PUBLIC}-{last}
                }}
            }}""")


class Holdfast(Gateway):
    def start(self):
        self.state = self.place.directory / "run"
        self.config_file = self.place.directory / "bng.json"
        self.object = self.place.directory / "bng.bpf.o"
        shutil.copy(self.options.object or self.build / "bpf" / "bng.bpf.o", self.object)
        for name in ("bpfholder", "bng-controld"):
            shutil.copy(self.build / "bin" / name, self.place.directory / name)
        config = self.config()
        if self.feature:
            features.turn_on(config, self.feature, self.case.flows, self.place.directory)
        self.config_file.write_text(json.dumps(config, indent=1))
        for path in (self.object, self.config_file):
            path.chmod(0o644)
        self.start_holder()
        self.start_controld()
        self.add_sessions()

    def config(self):
        case = self.case
        blocks = case.publics * 65536 // case.block_size
        public = f"{topology.FIRST_PUBLIC}/{32 - (case.publics - 1).bit_length()}"
        first = topology.FIRST_SUBSCRIBER
        homes = ipaddress.ip_network(f"{first}/{32 - (case.subscribers + 10).bit_length()}", strict=False)
        return {
            "interfaces": [{"name": "access0", "role": "access"}, {"name": "core0", "role": "core"}],
            "sizes": {"subscribers": homes.num_addresses + 1, "public_addresses": case.publics, "port_blocks": blocks,
                      "exempt": 1024},
            "gateways": [{"interface": "access0", "address": topology.GATEWAY}],
            "dhcp4": {"pools": [{
                "name": "homes", "interfaces": ["access0"], "prefix": str(homes), "first": str(first),
                "last": str(homes.broadcast_address - 1), "router": topology.GATEWAY,
                "dns": ["192.0.2.1"], "mtu": 1500, "lease_seconds": 3600, "nat_pool": "default"}]},
            "cgnat": {"pools": [{"name": "default", "prefixes": [public], "block_size": case.block_size,
                                 "blocks_per_subscriber": case.blocks,
                                 "mappings_per_subscriber": case.block_size * case.blocks}]},
        }

    def call(self, method, params=None, server="control/controld.sock"):
        with RpcClient(self.state / server, timeout=120) as client:
            return client.call(method, params)

    def wait(self, process, name, server, method):
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: {self.place.log(name)}")
            try:
                if self.call(method, server=server)["pid"] == process.pid:
                    return
            except (OSError, ValueError):
                time.sleep(0.01)
        raise TimeoutError(f"{name} did not answer within {START_TIMEOUT} s: {self.place.log(name)}")

    def start_holder(self):
        process = self.place.start(self.place.gateway, self.place.directory / "bpfholder", "--state", self.state,
                                   "--group", "bng", log="holder.log")
        self.wait(process, "holder", "holder.sock", "holder.status")

    def start_controld(self):
        self.controld = self.place.start(self.place.gateway, *AS_BNG, self.place.directory / "bng-controld", "--config",
                                         self.config_file, "--state", self.state, "--object", self.object,
                                         log="controld.log")
        self.wait(self.controld, "controld", "control/controld.sock", "status")

    def add_sessions(self):
        for first in range(0, self.case.subscribers, SESSIONS_PER_CALL):
            numbers = range(first, min(first + SESSIONS_PER_CALL, self.case.subscribers))
            self.call("session.add", {"sessions": [
                {"address": str(topology.FIRST_SUBSCRIBER + i), "mac": topology.mac_text(topology.FIRST_MAC + i),
                 "interface": "access0", "pool": "default"} for i in numbers]})


def start(kind, build, case, options):
    name, _, feature = kind.partition("+")
    return KINDS[name](build, case, options, feature or None)


KINDS = {"bare": Bare, "kernel": Kernel, "nftables": Nftables, "holdfast": Holdfast, "direct": Direct}


class ConntrackRaised:
    """Room in conntrack for a million flows while the benchmark runs; only the first namespace can say so."""

    def __enter__(self):
        self.before = {}
        for name, value in CONNTRACK.items():
            path = pathlib.Path("/proc/sys") / name.replace(".", "/")
            if not os.access(path, os.W_OK) or int(path.read_text()) >= value:
                continue
            self.before[path] = path.read_text()
            path.write_text(str(value))
        return self

    def __exit__(self, *exception):
        for path, value in self.before.items():
            path.write_text(value)
