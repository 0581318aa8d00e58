# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A gateway for thousands of sessions: both kinds on access1, FreeRADIUS to say who may
# come up and to be told about it, the emulator as all subscribers.
import signal

import freeradius
from lab import CORE, INTERNET, LOAD_GATEWAY, Lab, default_config
from subscribers import Subscribers

PPPOE_GATEWAY = "10.64.0.1"
COA_SECRET = "lab secret 3799"


def scale_config():
    config = default_config()
    config["sizes"] = {"subscribers": 262144, "public_addresses": 128, "port_blocks": 131072, "exempt": 1024}
    config["cgnat"]["pools"][0] = {"name": "default", "prefixes": ["203.0.112.0/25"], "block_size": 64,
                                   "blocks_per_subscriber": 4, "mappings_per_subscriber": 256}
    config["dhcp4"]["pools"] = [{
        "name": "ipoe", "interfaces": ["access1"], "prefix": "10.128.0.0/16", "first": "10.128.0.10", "last": "10.128.255.254",
        "router": LOAD_GATEWAY, "dns": ["192.0.2.1"], "lease_seconds": 3600, "nat_pool": "default"}]
    config["gateways"] = [{"interface": "access1", "address": address} for address in (LOAD_GATEWAY, PPPOE_GATEWAY)]
    config["pppoe"] = {
        "interfaces": ["access1"], "keepalive": {"interval_seconds": 5}, "max_setup": 16384,
        "pools": [{"name": "pppoe", "prefix": "10.64.0.0/16", "first": "10.64.0.10", "last": "10.64.255.254",
                   "gateway": PPPOE_GATEWAY, "dns": ["192.0.2.1", "192.0.2.2"], "nat_pool": "default"}],
        "limits": {"vlan_rate": 20000, "vlan_burst": 20000}}
    config["aaa"] = {"ipoe": {"method": "radius", "username": "%{mac}@ipoe"}, "pppoe": {"method": "radius"},
                     "hold_off_seconds": 0}
    config["accounting"] = {"enabled": True}
    config["coa"] = {"listen": CORE, "clients": [{"prefix": f"{INTERNET}/32", "secret": COA_SECRET}]}
    config["punt"] = {"dhcp4_rate": 20000, "dhcp4_burst": 10000, "pppoe_discovery_rate": 20000,
                      "pppoe_discovery_burst": 10000, "pppoe_session_rate": 50000, "pppoe_session_burst": 20000}
    return config


class ScaleLab(Lab):
    """Everything runs; `people` are the subscribers, none yet."""

    def __init__(self, interim=60, most=32768):
        super().__init__(scale_config())
        try:
            self.wire(self.load, "pass", "up0")
            self.wire(self.load, "pass", "down0")
            self.ip(self.internet, f"route add 203.0.112.0/25 via {CORE}")
            self.radius = freeradius.FreeRadius(self, interim)
            self.radius.start()
            freeradius.configure(self)
            self.start_holder()
            self.start_bngsync()
            self.start_controld()
            self.people = Subscribers(self, most=most)
            self.people.do("set", under_way=256, retry_ms=3000)
        except BaseException:
            self.close()
            raise

    def add(self, kind, count):
        """Subscribers of a kind; the number of the first one."""
        user = {"user": "user%n@pppoe"} if kind == "pppoe" else {}
        return self.people.add(kind, count, **user)

    def leave(self, how):
        """Ends controld."""
        if how == signal.SIGKILL:
            self.controld.kill()
            self.reap(self.controld)
        else:
            self.stop(self.controld)

    def packets_to_radius(self):
        """Sent until now, retransmissions too."""
        servers = [entry for entry in self.call("radius.servers")["servers"] if entry["state"] != "leaving"]
        return sum(entry["requests"] + entry["retransmissions"] for entry in servers)

    def identity(self):
        """By address, what must stay of every session."""
        found, after = {}, 0
        with self.rpc() as controld:
            while after is not None:
                reply = controld.call("session.list", {"limit": 5000, "after": after})
                found.update({entry["address"]: (entry["id"], entry["mac"]) for entry in reply["sessions"]})
                after = reply.get("next")
        return found
