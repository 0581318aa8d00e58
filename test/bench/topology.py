# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The benchmark's wires, the same for every gateway, and the meter on them:
#
#   meter -- acc0 === access0 [ gateway ] core0 === net0 -- meter
#
# Subscribers are at 10.0.0.10 and up, the internet at 198.18.0.1 and up, public
# addresses at 203.0.113.0 and up. There is no ARP: neighbours are permanent.
import ipaddress
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
import commands  # noqa: E402
import sandbox  # noqa: E402

FIRST_SUBSCRIBER = ipaddress.ip_address("10.0.0.10")
FIRST_MAC = 0x020000000001
GATEWAY = "10.0.0.1"
FIRST_PUBLIC = ipaddress.ip_address("203.0.113.0")
REMOTE = "198.18.0.1"
REMOTES = 256
ACCESS, ACCESS_PEER = "10.254.255.1", "10.254.255.2"
CORE, CORE_PEER = "10.255.255.1", "10.255.255.2"


def mac_text(number):
    return ":".join(f"{number:012x}"[i:i + 2] for i in range(0, 12, 2))


class Place(sandbox.Sandbox):
    """Three namespaces and two cables."""

    def __init__(self, queues=1):
        super().__init__()
        try:
            self.queues = queues
            self.access, self.gateway, self.core = map(self.namespace, ("access", "gateway", "core"))
            self.veth(self.access, "acc0", self.gateway, "access0", queues=queues)
            self.veth(self.core, "net0", self.gateway, "core0", queues=queues)
            self._address()
        except BaseException:
            self.close()
            raise

    def _address(self):
        interfaces = ("all", "default", "access0", "core0")
        settings = [f"net.ipv4.conf.{name}.rp_filter=0" for name in interfaces]
        self.run(self.gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1", *settings)
        self.ip(f"address add {CORE}/30 dev core0")
        self.ip(f"neighbour add {CORE_PEER} lladdr {self.mac(self.core, 'net0')} dev core0 nud permanent")
        self.ip(f"route add default via {CORE_PEER}")

    def ip(self, arguments):
        return sandbox.run(["ip", "-n", self.gateway, *arguments.split()])

    def mac(self, namespace, interface):
        links = json.loads(sandbox.run(["ip", "-j", "-n", namespace, "link", "show", interface]).stdout)
        return links[0]["address"]

    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def serve(self, name, namespace, *command):
        """Starts a program that reads commands and answers each with a line of JSON."""
        process = self.start(namespace, *command, log=f"{name}.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return commands.CommandServer(name, process, lambda: self.log(name))


def start_meter(build, place, case, check_mac, *arguments):
    """bng-meter on both ends of `place`, waiting for commands."""
    options = {
        "access": f"acc0@{place.access}", "core": f"net0@{place.core}",
        "gateway-access-mac": place.mac(place.gateway, "access0"),
        "gateway-core-mac": place.mac(place.gateway, "core0"),
        "subscribers": case.subscribers, "flows": case.flows, "size": case.size,
        "address": FIRST_SUBSCRIBER, "mac": mac_text(FIRST_MAC), "remote": REMOTE, "remotes": REMOTES,
        "cpus": ",".join(map(str, range(place.queues))),
    }
    command = ["nice", "-n", "-19", build / "bin" / "bng-meter", "--commands"]
    for name, value in options.items():
        command += [f"--{name}", value]
    if not check_mac:
        command.append("--no-mac-check")
    return place.serve("meter", place.access, *command, *arguments)
