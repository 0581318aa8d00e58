# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The data plane under test: the object loaded with small maps, in a network
# namespace of its own with real devices and routes, and a clock that stands
# still until a test moves it.
#
#   acc1, acc2    access interfaces 1 and 2
#   core1         core interface 3, the default route is there
#   other0        a device that the gateway does not know
#   punt0         the near end of the punt veth
import contextlib
import ctypes
import dataclasses
import ipaddress
import os
import pathlib
import socket
import struct
import subprocess
import time

import abi
from bpfobject import CPUS, BpfObject, PerCpuCounts, RingBuffer

ETH_P_PPP_SES = 0x8864
CLONE_NEWNET = 0x40000000
CLOCK_MONOTONIC_COARSE = 6
libc = ctypes.CDLL(None, use_errno=True)

SUBSCRIBERS = 8192
ADDRESSES = 8
BLOCKS = abi.BLOCKS_PER_ADDRESS_MAX
EVENTS_BYTES = 65536
FLOW_BUCKETS = 1024
LEASES = 64

ACC1, ACC2, CORE, PUNT = 1, 2, 3, abi.INTERFACE_PUNT
DEVICES = {"acc1": ACC1, "acc2": ACC2, "core1": CORE, "punt0": PUNT, "other0": None}
ROLES = {ACC1: abi.ROLE_ACCESS, ACC2: abi.ROLE_ACCESS, CORE: abi.ROLE_CORE, PUNT: abi.ROLE_PUNT}
MACS = {name: f"02:00:00:00:aa:{number:02x}" for number, name in enumerate(DEVICES, 1)}
MTU = 1500

GATEWAY = "10.0.0.1"
INNER = ipaddress.ip_network("10.0.0.0/20")
INNER_BASE = 16
GATEWAY_ONLY = ipaddress.ip_network("10.255.0.0/24")  # a range without subscribers
PUBLIC = ["203.0.113.0", "203.0.113.1", "203.0.113.2", "203.0.113.3",  # two ranges: a pool need not be contiguous
          "198.51.100.64", "198.51.100.65", "198.51.100.66", "198.51.100.67"]

NEXT_HOP, NEXT_HOP_MAC = "198.18.0.1", "02:00:00:00:ee:01"
HOST = "198.18.0.2"               # this host's own address on core1
REMOTE = "192.0.2.1"              # behind the default route
UNRESOLVED = "192.0.2.129"        # next hop without neighbour entry
UNREACHABLE = "192.0.2.193"       # no route
SMALL_MTU = "192.0.2.33"          # a route with an MTU of 1000
NOT_ATTACHED = "192.0.2.65"       # behind other0

TIMEOUTS = {abi.MAPPING_UDP: 300, abi.MAPPING_ICMP: 60, abi.MAPPING_TCP_PARTIAL: 240,
            abi.MAPPING_TCP_ESTABLISHED: 7440, abi.MAPPING_TCP_CLOSING: 240, abi.MAPPING_TCP_RESET: 240,
            abi.MAPPING_TUNNEL: 300}
HOLD_DOWN = 120

NETWORK = f"""
link add punt0 type veth peer name punt1
link add acc1 type veth peer name acc1p
link add acc2 type veth peer name acc2p
link add core1 type veth peer name core1p
link add other0 type veth peer name other0p
address add {HOST}/24 dev core1
address add 198.18.9.2/24 dev other0
route add default via {NEXT_HOP}
route add 192.0.2.64/27 via 198.18.9.1
route add 192.0.2.128/27 via 198.18.0.77
route add unreachable 192.0.2.192/27
route add 192.0.2.32/27 via {NEXT_HOP} mtu lock 1000
neighbour replace {NEXT_HOP} lladdr {NEXT_HOP_MAC} dev core1 nud permanent
neighbour replace 198.18.9.1 lladdr 02:00:00:00:ee:09 dev other0 nud permanent
"""


def be32(address):
    return int.from_bytes(socket.inet_aton(str(address)), "little")


def address_of(be):
    return socket.inet_ntoa(be.to_bytes(4, "little"))


def inet(address):
    return socket.inet_aton(address)


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


class Namespace:
    """A network namespace without a name: gone with its last descriptor."""

    def __init__(self):
        self.outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare: needs root")
        self.inside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._set(self.outside)

    @staticmethod
    def _set(descriptor):
        if libc.setns(descriptor, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    @contextlib.contextmanager
    def entered(self):
        self._set(self.inside)
        try:
            yield
        finally:
            self._set(self.outside)

    def close(self):
        os.close(self.inside)
        os.close(self.outside)


def sysctl(name, value):
    pathlib.Path("/proc/sys/net", name).write_text(str(value))


def network_build():
    """In the current namespace."""
    sysctl("ipv6/conf/default/disable_ipv6", 1)
    links, rest = [], []
    for line in NETWORK.strip().splitlines():
        (links if line.startswith("link") else rest).append(line)
    links += [f"link set {name} address {mac} mtu {MTU} up\nlink set {'punt1' if name == 'punt0' else name + 'p'} up"
              for name, mac in MACS.items()]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(links + rest), text=True, check=True)
    sysctl("ipv4/ip_forward", 1)


@dataclasses.dataclass
class Result:
    verdict: str
    action: int
    frame: bytes


@dataclasses.dataclass
class Session:
    """A subscriber: the live record and what a test needs to build its frames."""
    plane: object
    slot: int
    address: str
    mac: str
    interface: int
    tags: tuple = ()  # ((tpid, vid), ...), the last one may be (ETH_P_PPP_SES, PPPoE session id)

    @property
    def record(self):
        return self.plane.subscriber[self.slot]

    @property
    def blocks(self):
        return [first for first in self.record.block if first]

    @property
    def interface_mac(self):
        return MACS["acc1" if self.interface == ACC1 else "acc2"]


class Plane:
    def __init__(self):
        self.namespace = Namespace()
        with self.namespace.entered():
            network_build()
            self.ifindex = {name: socket.if_nametoindex(name) for name in DEVICES}
            self.object = BpfObject(abi.OBJECT, {
                "subscriber": SUBSCRIBERS, "pool_address": ADDRESSES, "port_block": ADDRESSES * BLOCKS,
                "mapping": ADDRESSES * 8192, "slot_of_address": 1024, "events": EVENTS_BYTES,
                "exempt": 1024, "exempt_port": 1024, "flow": FLOW_BUCKETS, "pcp": LEASES,
                "pppoe_session": 1024})
        self.meta_array = self._array("meta", "bng_meta")
        self.meta = self.meta_array[0]
        self.subscriber = self._array("subscriber", "bng_subscriber")
        self.closing = self._array("closing", "bng_slot_group")
        self.pool = self._array("pool", "bng_pool")
        self.port_timer = self._array("port_timer", "bng_port_timers")
        self.pool_address = self._array("pool_address", "bng_pool_address")
        self.port_block = self._array("port_block", "bng_port_block")
        self.mapping = self._array("mapping", "bng_mapping_bucket")
        self.flow = self._array("flow", "bng_flow_bucket")
        self.tunnel = self._array("tunnel", "bng_tunnel_bucket")
        self.fragment = self._array("fragment", "bng_fragment")
        self.range = self._array("range", "bng_ranges")
        self.interface = self._array("interface", "bng_interface")
        self.pcp = self._array("pcp", "bng_pcp")
        self.punt_limit = self._array("punt_limit", "bng_punt_limit")
        self.pppoe_limit = self._array("pppoe_limit", "bng_pppoe_limit")
        self.filter = self._array("filter", "bng_filter")
        self.counts = PerCpuCounts(self.object.maps["reason_count"], abi.VERDICT_COUNT)
        self.ring = RingBuffer(self.object.maps["events"])
        self.maps = self.object.maps
        # Where this run's clock begins; it never goes back, so that nothing cached is from the future.
        self.clock_ns = (self._coarse() + (3600 << 30)) >> abi.TICK_SHIFT << abi.TICK_SHIFT

    def _array(self, name, struct_name):
        return self.object.array(name, abi.STRUCTS[struct_name])

    def close(self):
        self.object.close()
        self.namespace.close()

    # ---- a clean gateway ------------------------------------------------------

    def reset(self):
        for array in (self.meta_array, self.subscriber, self.closing, self.pool, self.port_timer, self.pool_address,
                      self.port_block, self.mapping, self.flow, self.tunnel, self.fragment, self.range, self.interface, self.pcp,
                      self.punt_limit, self.pppoe_limit, self.filter):
            ctypes.memset(array, 0, ctypes.sizeof(array))
        self.maps["slot_of_address"].clear(4)
        self.maps["exempt"].clear(8)
        self.maps["exempt_port"].clear(12)
        self.maps["first_packet_prefix"].clear(12)
        self.maps["gateway"].clear(8)
        self.maps["pppoe_session"].clear(16)
        self.maps["interface_of_ifindex"].clear(4)
        self.ring.read()
        self.counts.clear()
        self.last_counts = self.counts.raw()
        self.next_id = 1
        self._meta_build()
        self._interfaces_build()
        self._ranges_build()
        self.advance_seconds(3600)

    def _meta_build(self):
        self.meta.abi_version = abi.ABI_VERSION
        self.meta.clock_offset_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        self.meta.hold_down_ticks = abi.ticks(HOLD_DOWN)
        self.meta.block_high = ADDRESSES * BLOCKS
        self.meta.pool_count = abi.POOLS
        self.meta.flow_mask = FLOW_BUCKETS - 1

    def _interfaces_build(self):
        for name, index in DEVICES.items():
            if index is None:
                continue
            record = self.interface[index]
            record.ifindex, record.role, record.mtu = self.ifindex[name], ROLES[index], MTU
            record.mac[:] = mac_bytes(MACS[name])
            if ROLES[index] == abi.ROLE_ACCESS:
                record.address_be, record.flags = be32(GATEWAY), abi.INTERFACE_PPPOE
                self.gateway_add(index, GATEWAY)
            self.tx_set(index, self.ifindex[name])
            self.maps["interface_of_ifindex"].update(struct.pack("=I", self.ifindex[name]), struct.pack("=I", index))

    def tx_set(self, index, ifindex):
        with self.namespace.entered():
            self.maps["tx_interface"].update(struct.pack("=I", index), struct.pack("=I", ifindex))

    def tx_delete(self, index):
        self.maps["tx_interface"].delete(struct.pack("=I", index))

    def gateway_add(self, interface, address):
        self.maps["gateway"].update(struct.pack("=II", interface, be32(address)), struct.pack("=I", 1))

    def _ranges_build(self):
        ranges = self.range[0]
        inner = [(INNER, INNER_BASE), (GATEWAY_ONLY, 0)]
        for entry, (network, base) in zip(ranges.inner, inner):
            entry.first, entry.last, entry.base = int(network[0]), int(network[-1]), base
        for entry, first in zip(ranges.outer, (0, 4)):
            entry.first = int(ipaddress.ip_address(PUBLIC[first]))
            entry.last, entry.base = entry.first + 3, first
        ranges.inner_count, ranges.public_count = len(inner), 2

    def pool_build(self, index=0, addresses=(0,), shift=6, max_blocks=4, max_mappings=4096, timeouts=None):
        """A pool of public addresses, every block free."""
        pool = self.pool[index]
        pool.address_count, pool.segment_count = len(addresses), len(addresses)
        pool.block_shift, pool.max_blocks, pool.max_mappings = shift, max_blocks, max_mappings
        for state, seconds in {**TIMEOUTS, **(timeouts or {})}.items():
            pool.timeout[state] = abi.ticks(seconds)
        for segment, number in zip(pool.segment, addresses):
            segment.first_index, segment.count = number, 1
        for number in addresses:
            record = self.pool_address[number]
            record.address_be, record.first_block = be32(PUBLIC[number]), number * BLOCKS
            record.pool, record.block_shift, record.flags = index, shift, abi.POOL_ADDRESS_ENABLED
            self.blocks_offer(number, range(abi.FIRST_PORT >> shift or 1, 65536 >> shift))
        return pool

    def blocks_offer(self, address, numbers):
        """Only these blocks of a public address are free."""
        record, offered = self.pool_address[address], set(numbers)
        for word in range(len(record.taken)):
            free = sum(1 << bit for bit in range(64) if word * 64 + bit in offered)
            record.taken[word] = ~free & (1 << 64) - 1
        record.free_blocks = len(offered)

    def session(self, address, interface=ACC1, tags=(), mac=None, pool=0, flags=0, max_blocks=None, max_mappings=None):
        inside = ipaddress.ip_address(address) in INNER
        offset = int(ipaddress.ip_address(address)) - int(INNER[0])
        slot = INNER_BASE + offset if inside else 6000 + len(list(self.outside_sessions()))
        mac = mac or f"02:01:00:00:{slot >> 8:02x}:{slot & 255:02x}"
        record = self.subscriber[slot]
        assert record.state == abi.SUBSCRIBER_FREE
        generation = record.generation + 1 & 0xffff
        ctypes.memset(ctypes.addressof(record), 0, ctypes.sizeof(record))
        record.address_be, record.interface, record.generation, record.pool = be32(address), interface, generation, pool
        for name, bit, (tpid, vid) in zip(("outer_vid", "inner_vid"),
                                          (abi.SUBSCRIBER_OUTER_AD, abi.SUBSCRIBER_INNER_AD), tags):
            setattr(record, name, 0 if tpid == ETH_P_PPP_SES else vid)
            flags |= bit if tpid == 0x88a8 else 0
        record.mac[:] = mac_bytes(mac)
        if tags and tags[-1][0] == ETH_P_PPP_SES:
            self.pppoe_publish(record, slot, tags[-1][1])
        record.flags, record.block_shift = flags, self.pool[pool].block_shift
        record.port_key, record.address_index = (slot * 0x9e3779b1 ^ 0x5bd1e995) & 0xffffffff, 0xffffffff
        record.max_blocks = self.pool[pool].max_blocks if max_blocks is None else max_blocks
        record.max_mappings = self.pool[pool].max_mappings if max_mappings is None else max_mappings
        record.session_id, self.next_id = self.next_id, self.next_id + 1
        record.state = abi.SUBSCRIBER_ACTIVE
        if not inside:
            self.maps["slot_of_address"].update(struct.pack("=I", record.address_be), struct.pack("=I", slot))
        return Session(self, slot, address, mac, interface, tuple(tags))

    def pppoe_publish(self, record, slot, number):
        record.pppoe_session, record.ppp_magic = number, 0x600d0000 + slot
        key = abi.bng_pppoe_key(record.interface, number, record.outer_vid, record.inner_vid)
        key.mac[:] = record.mac
        self.maps["pppoe_session"].update(bytes(key), struct.pack("=I", slot))

    def outside_sessions(self):
        return (slot for slot in range(6000, 6100) if self.subscriber[slot].session_id)

    def exempt_add(self, network, epoch=0):
        network = ipaddress.ip_network(network)
        self.maps["exempt"].update(struct.pack("=II", network.prefixlen, be32(network[0])),
                                   struct.pack("=I", abi.EXEMPT_PERMANENT | epoch << abi.EXEMPT_EPOCH_SHIFT))
        self.meta.exempt_count += 1

    def exempt_port_add(self, network, protocol, port, epoch=0):
        network, number = ipaddress.ip_network(network), abi.ENUMERATORS[f"PROTOCOL_{protocol.upper()}"]
        key = struct.pack("=I", 32 + network.prefixlen) + struct.pack(">HBB", port, number, 0) + network[0].packed
        self.maps["exempt_port"].update(key, struct.pack("=I", abi.EXEMPT_PERMANENT | epoch << abi.EXEMPT_EPOCH_SHIFT))
        self.meta.exempt_count |= abi.EXEMPT_PORTS & 0xffffffff

    def first_packet_add(self, interface, network):
        network = ipaddress.ip_network(network)
        key = struct.pack("=III", abi.FIRST_PACKET_INTERFACE_BITS + network.prefixlen, interface, be32(network[0]))
        self.maps["first_packet_prefix"].update(key, struct.pack("=I", 1))

    def close_session(self, session):
        """As controld ends one."""
        session.record.state = abi.SUBSCRIBER_CLOSING
        self.closing_tell(session.slot)

    def closing_tell(self, slot):
        """The sweep is to look at it."""
        self.closing[slot // abi.SLOTS_PER_GROUP].word[slot % abi.SLOTS_PER_GROUP // 64] |= 1 << slot % 64

    def closing_told(self):
        """Slots the sweep is still to look at."""
        words = [word for group in self.closing for word in group.word]
        return [number * 64 + bit for number, word in enumerate(words) if word for bit in range(64) if word >> bit & 1]

    # ---- time -------------------------------------------------------------------

    @staticmethod
    def _coarse():
        return time.clock_gettime_ns(CLOCK_MONOTONIC_COARSE)

    @property
    def tick(self):
        return self.clock_ns >> abi.TICK_SHIFT & 0xffffffff

    def advance(self, ticks):
        """To 20 ms after the start of a later tick, however much real time a run takes (up to 240 ms)."""
        self.clock_ns = ((self.clock_ns >> abi.TICK_SHIFT) + ticks << abi.TICK_SHIFT) + 20_000_000

    def advance_seconds(self, seconds):
        self.advance(abi.ticks(seconds))

    def clock_set(self):
        self.real_ns = self._coarse()
        self.meta.clock_injected_ns = self.clock_ns - self.real_ns - self.meta.clock_offset_ns

    def still(self):
        """Whether the last packet saw exactly clock_ns: no jiffy went by between setting and running."""
        return self._coarse() == self.real_ns

    # ---- running ------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, other):
        """Its packets go through another's programs."""
        own, self.object = self.object, other
        try:
            yield
        finally:
            self.object = own

    def run(self, program, frame, device):
        """Runs one packet; exactly one verdict's counter must move, by this packet."""
        self.clock_set()
        action, out = self.object.run_xdp(program, frame, self.ifindex[device])
        # What controld hands back is counted as the frame it is again, without the punt header.
        header = ctypes.sizeof(abi.bng_punt) if program.endswith("inject") else 0
        verdict = self._counted({len(frame), len(frame) - header})
        return Result(verdict, action, out)

    def _counted(self, lengths):
        before, self.last_counts = self.last_counts, self.counts.raw()
        moved = {}
        if before != self.last_counts:
            for position, (old, new) in enumerate(zip(before, self.last_counts)):
                if old != new:
                    moved.setdefault(position // (2 * CPUS), [0, 0])[position & 1] += new - old
        assert len(moved) == 1, f"verdicts counted: { {abi.VERDICTS[number]: moved[number] for number in moved} }"
        (number, (packets, size)), = moved.items()
        assert packets == 1 and size in lengths, f"{abi.VERDICTS[number]} moved by {packets} packets, {size} bytes"
        return abi.VERDICTS[number]

    def verdicts(self):
        """{verdict: packets} so far."""
        raw = self.counts.raw()
        return {name: sum(raw[2 * CPUS * number:2 * CPUS * (number + 1):2]) for number, name in enumerate(abi.VERDICTS)}

    def run_live(self, program, frame, device):
        """The same with what the kernel does afterwards: the frame is really sent. What it ends in is only counted."""
        self.clock_set()
        self.object.run_xdp_live(program, frame, self.ifindex[device])
        self.last_counts = self.counts.raw()

    def first_token(self, limit, field, send):
        """Takes the first token of a bucket at exactly clock_ns, from where the others are counted."""
        for _ in range(1000):
            setattr(limit, field, 0)
            result = send()
            if self.still():
                return result
        raise AssertionError("this machine never runs a packet within one jiffy")

    def access(self, frame, interface=ACC1):
        return self.run("bng_access", frame, "acc1" if interface == ACC1 else "acc2")

    def core(self, frame):
        return self.run("bng_core", frame, "core1")

    def inject(self, frame):
        return self.run("bng_inject", frame, "punt0")

    def sweep(self):
        self.clock_set()
        assert self.object.run_syscall("bng_sweep") == 0

    def count(self, verdict):
        base = abi.VERDICTS.index(verdict) * 2 * CPUS
        return sum(self.last_counts[base:base + 2 * CPUS:2])

    def events(self):
        return [abi.bng_event.from_buffer_copy(record) for record in self.ring.read()]

    # ---- looking inside -----------------------------------------------------------

    def block_of(self, port):
        """Of a global port (public address index << 16 | port)."""
        address = self.pool_address[port >> 16]
        return self.port_block[address.first_block + ((port & 0xffff) >> address.block_shift)]

    def mapping_at(self, port):
        return self.mapping[port >> 3].entry[port & 7]

    def mapping_state(self, port):
        return self.mapping_at(port).kind >> 4
