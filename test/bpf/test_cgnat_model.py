# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A long random life of a small gateway, each step foretold by model.py: verdicts,
# public ends, inner ends, events, and now and then every entry of every map.
import random
import struct

import pytest

import abi
import invariants
from model import Model, Subscriber
from plane import MACS, NEXT_HOP_MAC, PUBLIC, REMOTE, inet, mac_bytes
from test_cgnat_port_timers import timers_build

STEPS = 400_000  # three lives: over a million packets
SIZE = 64
ADDRESSES = (0, 1)
OFFERED = range(16, 1024, 70)  # blocks of each address: fewer than everybody may want
FIXED = range(16, 31)  # blocks of each address that are subscribers' own, in a deterministic pool
SUBSCRIBERS = 30
PORTS = 200
HOLD_SECONDS = 5
TIMEOUTS = {abi.MAPPING_UDP: 20, abi.MAPPING_ICMP: 8, abi.MAPPING_TCP_PARTIAL: 10, abi.MAPPING_TCP_ESTABLISHED: 60,
            abi.MAPPING_TCP_CLOSING: 12, abi.MAPPING_TCP_RESET: 9, abi.MAPPING_TUNNEL: 25}
BY_PORT = {("udp", 53): 3, ("udp", 4500): 45, ("tcp", 22): 150, ("tcp", 80): 30}  # seconds
REMOTE_PORTS = (53, 53, 4500, 22, 80, 8000)
NUMBERS = {"udp": 17, "tcp": 6, "icmp": 1}
TUNNELS = {"gre": 47, "esp": 50}
TUNNEL_REMOTES = [f"192.0.2.{number}" for number in range(1, 31)]
MAPPED = {"udp": abi.PROTOCOL_UDP, "tcp": abi.PROTOCOL_TCP, "icmp": abi.PROTOCOL_ICMP,
          "gre": abi.PROTOCOL_GRE, "esp": abi.PROTOCOL_ESP}
FLAG_BITS = {"F": 1, "S": 2, "R": 4, "A": 16}
FLAGS = ["S"] * 6 + ["A"] * 6 + ["SA", "FA", "FA", "R", "RA", "SF"]
REMOTE_BYTES, PUBLIC_BYTES = inet(REMOTE), [inet(address) for address in PUBLIC]


def l4(protocol, sport, dport, flags):
    if protocol == "udp":
        return struct.pack("!HHHH", sport, dport, 8, 0)
    if protocol == "icmp":
        return struct.pack("!BBHHH", 8, 0, 0, sport, 1)
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, sum(FLAG_BITS[flag] for flag in flags), 1000, 0, 0)


def key_port(key):
    """What a mapping's word has of its key: the inner port, or the tag of a tunnel's remote end."""
    if key[0] in TUNNELS:
        return int.from_bytes(inet(key[1]), "little") * 0x9e3779b1 >> 16 & 0xffff
    return int.from_bytes(key[1].to_bytes(2, "big"), "little")


def tunnel_packet(macs, source, destination, protocol):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 32, 0, 0, 64, TUNNELS[protocol], 0)
    return macs + b"\x08\x00" + header + source + destination + bytes(12)


def packet(macs, source, destination, protocol, sport, dport, flags):
    """Checksums are not looked at here: they are in test_packet_forward.py."""
    payload = l4(protocol, sport, dport, flags)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, NUMBERS[protocol], 0)
    return macs + b"\x08\x00" + header + source + destination + payload


class Life:
    """The plane and its model, side by side."""

    def __init__(self, plane, seed, deterministic):
        self.plane, self.chance, self.deterministic = plane, random.Random(seed), deterministic
        offered = [block for block in OFFERED if not deterministic or block not in FIXED]
        plane.pool_build(addresses=ADDRESSES, timeouts=TIMEOUTS)
        timers_build(plane, BY_PORT)
        plane.meta.hold_down_ticks = abi.ticks(HOLD_SECONDS)
        plane.meta.block_high = len(ADDRESSES) * 1024
        for address in ADDRESSES:
            plane.blocks_offer(address, offered)
            plane.pool_address[address].dynamic_from = FIXED.stop if deterministic else 0
        plane.pool[0].fixed_blocks = int(deterministic)
        self.model = Model({state: abi.ticks(seconds) for state, seconds in TIMEOUTS.items()}, abi.ticks(HOLD_SECONDS),
                           SIZE, [address << 16 | block * SIZE for address in ADDRESSES for block in offered],
                           {port: abi.ticks(seconds) for port, seconds in BY_PORT.items()})
        self.sessions, self.macs = {}, {}
        self.seen = {}
        for number in range(SUBSCRIBERS):
            self.open(number)
        self.down_macs = mac_bytes(MACS["core1"]) + mac_bytes(NEXT_HOP_MAC)

    def open(self, number):
        limits = {"max_blocks": 1 + number % 4, "max_mappings": 40 if number % 5 == 0 else 4000}
        session = self.plane.session(f"10.0.0.{10 + number}", **limits)
        self.macs[number] = mac_bytes(session.interface_mac) + mac_bytes(session.mac)
        self.sessions[number] = session
        fixed = number // len(FIXED) << 16 | FIXED[number % len(FIXED)] * SIZE if self.deterministic else None
        self.model.subscribers[number] = Subscriber(fixed=fixed, **limits)
        if self.deterministic:
            session.record.fixed = fixed
            self.model.fixed.add(fixed)

    def events(self):
        """Those of blocks and sessions; that a refusal is told now and then is not foretold."""
        return [event for event in self.plane.events() if event.type != abi.EVENT_SUBSCRIBER_REFUSED]

    def note(self, verdict):
        self.seen[verdict] = self.seen.get(verdict, 0) + 1

    def up(self):
        number = self.chance.randrange(SUBSCRIBERS)
        if self.chance.random() < 0.5:
            number %= 4
        protocol = self.chance.choice(("udp", "udp", "tcp", "tcp", "icmp"))
        key, flags = (protocol, self.chance.randrange(1, PORTS)), ""
        if protocol == "tcp":
            flags = self.chance.choice(FLAGS)
        session = self.sessions[number]
        remote_port = self.chance.choice(REMOTE_PORTS)
        verdict, ends = self.model.up(number, key, flags)
        frame = packet(self.macs[number], inet(session.address), REMOTE_BYTES, protocol, key[1], remote_port, flags)
        result = self.plane.access(frame)
        assert result.verdict == verdict, f"up {number} {key} {flags}"
        self.note(verdict)
        if verdict != "FORWARD_UP":
            return
        at = 38 if protocol == "icmp" else 34
        end = PUBLIC_BYTES.index(result.frame[26:30]) << 16 | int.from_bytes(result.frame[at:at + 2], "big")
        assert end in ends, f"up {number} {key}: {end:#x}"
        taken = self.model.chosen(number, key, end, flags, remote_port)
        if taken is not None:
            own = taken == self.model.subscribers[number].fixed
            (event,) = self.events()
            assert (event.type, event.slot, event.port_first, event.flags) == \
                (abi.EVENT_BLOCK_ALLOCATED, session.slot, taken & 0xffff, abi.EVENT_DETERMINISTIC if own else 0)

    def down(self):
        if self.model.ends and self.chance.random() < 0.9:
            end = self.chance.choice(list(self.model.ends))
            protocol = self.model.ends[end][1][0]
            protocol = "udp" if protocol in TUNNELS else protocol  # a port that has a tunnel is nobody's
        else:
            end, protocol = self.chance.randrange(len(ADDRESSES) << 16), "udp"
        if self.chance.random() < 0.05:
            protocol = self.chance.choice(list(NUMBERS))
        flags = self.chance.choice(FLAGS) if protocol == "tcp" else ""
        remote_port = self.chance.choice(REMOTE_PORTS)
        frame = packet(self.down_macs, REMOTE_BYTES, PUBLIC_BYTES[end >> 16], protocol,
                       end & 0xffff if protocol == "icmp" else remote_port, end & 0xffff, flags)
        verdict, inner = self.model.down(end, protocol, flags, remote_port)
        result = self.plane.core(frame)
        assert result.verdict == verdict, f"down {end:#x} {protocol} {flags}"
        self.note(verdict)
        if inner:
            number, port = inner
            at = 38 if protocol == "icmp" else 36
            assert result.frame[30:34] == inet(self.sessions[number].address)
            assert int.from_bytes(result.frame[at:at + 2], "big") == port

    def made_at(self, number, key):
        """The public end of a subscriber's mapping, found in the map."""
        view, plane = invariants.words(self.plane), self.plane
        wanted = key_port(key) | MAPPED[key[0]] << 16
        (end,) = {port for first in self.sessions[number].blocks
                  for port, word in invariants.entries(plane, plane.block_of(first), 6, view) if word & 0xfffff == wanted}
        return end

    def tunnel_up(self):
        number, key = self.chance.randrange(SUBSCRIBERS), (self.chance.choice(list(TUNNELS)),
                                                           self.chance.choice(TUNNEL_REMOTES))
        verdict, ends = self.model.tunnel_up(number, key)
        result = self.plane.access(tunnel_packet(self.macs[number], inet(self.sessions[number].address), inet(key[1]),
                                                 key[0]))
        if verdict == "FORWARD_UP":
            end = self.made_at(number, key)
            assert end in ends, f"tunnel up {number} {key}: {end:#x}"
            verdict, taken = self.model.tunnel_chosen(number, key, end)
            assert len(self.events()) == (taken is not None)
            if verdict == "FORWARD_UP":
                assert result.frame[26:30] == PUBLIC_BYTES[end >> 16]
        assert result.verdict == verdict, f"tunnel up {number} {key}"
        self.note("tunnel FORWARD_UP" if verdict == "FORWARD_UP" else verdict)

    def tunnel_down(self):
        index, key = self.chance.choice(ADDRESSES), (self.chance.choice(list(TUNNELS)),
                                                     self.chance.choice(TUNNEL_REMOTES))
        number = self.model.tunnel_owner(index, key)
        result = self.plane.core(tunnel_packet(self.down_macs, inet(key[1]), PUBLIC_BYTES[index], key[0]))
        assert result.verdict == ("FORWARD_DOWN" if number is not None else "DROP_TUNNEL_UNKNOWN")
        if number is not None:
            assert result.frame[30:34] == inet(self.sessions[number].address)
        self.note(f"tunnel {result.verdict}")

    def advance(self):
        ticks = self.chance.choice((1, 1, 2, 5, 10, 30))
        self.plane.advance(ticks)
        self.model.tick = self.plane.tick

    def sweep(self):
        given, released = self.model.sweep()
        self.plane.sweep()
        events = self.events()
        freed = {(event.slot, PUBLIC_BYTES.index(event.public_be.to_bytes(4, "little")) << 16 | event.port_first)
                 for event in events if event.type == abi.EVENT_BLOCK_FREED}
        assert freed == {(self.sessions[number].slot, first) for number, first in given}
        assert {event.slot for event in events if event.type == abi.EVENT_SESSION_RELEASED} == \
            {self.sessions[number].slot for number in released}
        assert len(events) == len(given) + len(released)
        self.note("given back")
        for number in released:
            self.open(number)
            self.note("reopened")

    def close(self):
        number = self.chance.randrange(SUBSCRIBERS)
        if self.model.subscribers[number].active:
            self.plane.close_session(self.sessions[number])
            self.model.close(number)

    def move(self):
        """As controld moves a subscriber to the other address."""
        number = self.chance.randrange(SUBSCRIBERS)
        subscriber, record = self.model.subscribers[number], self.sessions[number].record
        if subscriber.active and subscriber.address is not None:
            assert record.address_index == subscriber.address
            record.address_index = subscriber.address = 1 - subscriber.address
            self.note("moved")

    def step(self):
        turns = ((0.628, self.up), (0.638, self.tunnel_up), (0.934, self.down), (0.964, self.tunnel_down),
                 (0.970, self.advance), (0.992, self.sweep), (0.996, self.close), (1.0, self.move))
        turn = self.chance.random()
        next(step for limit, step in turns if turn < limit)()

    def compare(self):
        """Every entry of the maps is the model's, and the counts are right."""
        invariants.check(self.plane, moves=True)
        view = invariants.words(self.plane)
        found = {}
        for index, _, block in invariants.blocks(self.plane):
            for port, word in invariants.entries(self.plane, block, 6, view):
                found[port] = (block.slot, word)
        wanted = {}
        for number, subscriber in self.model.subscribers.items():
            for key, mapping in subscriber.table.items():
                fins = sum(1 if inside else 2 for inside in mapping.fins)
                wanted[mapping.end] = (self.sessions[number].slot, key_port(key) | MAPPED[key[0]] << 16 |
                                       mapping.state << 20 | fins << 24 | (mapping.last & 0xffffffff) << 32)
        assert found == wanted
        self.compare_tunnels()
        for address in ADDRESSES:
            free = {first for first in self.model.free if first >> 16 == address}
            assert self.plane.pool_address[address].free_blocks == len(free)
            assert self.plane.pool_address[address].fallbacks == self.model.fallbacks.get(address, 0)


    def compare_tunnels(self):
        """Each living tunnel is in the table."""
        entries = {(word & 0xffffffff, word >> 32) for word in memoryview(self.plane.tunnel).cast("B").cast("Q") if word}
        for (index, key), number in self.model.tunnels.items():
            if self.model.tunnel_owner(index, key) is not None:
                end = self.model.subscribers[number].table[key].end
                assert (end, int.from_bytes(inet(key[1]), "little")) in entries


MUST_BE_SEEN = {"FORWARD_UP", "FORWARD_DOWN", "DROP_NO_SESSION", "DROP_TCP_FLAGS", "DROP_CGNAT_MAPPING_LIMIT",
                "DROP_CGNAT_BLOCK_LIMIT", "DROP_CGNAT_NO_BLOCK", "DROP_CGNAT_NO_MAPPING", "DROP_CGNAT_STALE",
                "given back", "reopened", "moved", "tunnel FORWARD_UP", "tunnel FORWARD_DOWN", "DROP_TUNNEL_TAKEN",
                "tunnel DROP_TUNNEL_UNKNOWN"}


@pytest.mark.parametrize("seed, deterministic", [(1, False), (2, False), (3, True)])
def test_rfc4787_req11_a_long_life_as_foretold(plane, seed, deterministic):
    life = Life(plane, seed, deterministic)
    life.model.tick = plane.tick
    for number in range(STEPS):
        try:
            life.step()
            if number % 2000 == 0:
                life.compare()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {number}: {error}") from error
    life.compare()
    assert set(life.seen) == MUST_BE_SEEN
    assert min(life.seen.values()) > 20, life.seen
    assert min(life.model.fallbacks.values()) > 20, life.model.fallbacks
