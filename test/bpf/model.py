# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# CGNAT as a few dictionaries: what the data plane must do with each packet, tick
# and sweep. It says which verdict comes and which ports may be given; where the
# data plane is free to choose, `chosen` takes its choice into the model.
import dataclasses

import abi

P, E, C, R = (abi.MAPPING_TCP_PARTIAL, abi.MAPPING_TCP_ESTABLISHED, abi.MAPPING_TCP_CLOSING, abi.MAPPING_TCP_RESET)
FIRST_STATE = {"udp": abi.MAPPING_UDP, "icmp": abi.MAPPING_ICMP, "tcp": P,
               "gre": abi.MAPPING_TUNNEL, "esp": abi.MAPPING_TUNNEL}
GRACE = 2  # ticks


@dataclasses.dataclass
class Mapping:
    end: int  # public address index << 16 | port
    state: int
    last: int  # tick by which the timer of its state is judged: a promise, see Model.promise
    fins: frozenset = frozenset()


@dataclasses.dataclass
class Subscriber:
    max_blocks: int
    max_mappings: int
    active: bool = True
    closed: int = None  # tick of the first sweep that saw it closing
    address: int = None  # paired with
    fixed: int = None  # first port of the block that is its own by the pool's rule
    blocks: set = dataclasses.field(default_factory=set)
    # (protocol, port; of a tunnel: remote end) -> Mapping, expired ones too
    table: dict = dataclasses.field(default_factory=dict)


def tcp_next(mapping, inside, flags):
    """The state table of docs/cgnat.md, written a second time."""
    if "R" in flags:
        mapping.state = R
        return
    if mapping.state == R:
        mapping.fins = frozenset()
        mapping.state = P if inside and "S" in flags else E
        if mapping.state == E and "F" in flags:
            mapping.fins = frozenset([inside])
    elif mapping.state == C:
        if inside and "S" in flags:
            mapping.state, mapping.fins = P, frozenset()
    elif mapping.state == P and inside:
        pass
    else:
        mapping.state = E
        if "F" in flags:
            mapping.fins |= {inside}
        if len(mapping.fins) == 2:
            mapping.state = C


class Model:
    def __init__(self, timeouts, hold, size, offered, by_port=None):
        self.timeouts, self.hold, self.size = timeouts, hold, size
        self.by_port = by_port or {}  # (protocol, destination port) -> ticks
        self.free = set(offered)  # first ports of blocks
        self.held = {}  # first port -> tick
        self.held_for = {}  # first port -> who had it
        self.fixed = set()  # first ports of blocks that are somebody's own
        self.owner = {}  # first port -> subscriber's number
        self.subscribers = {}
        self.ends = {}  # public end -> (subscriber's number, key)
        self.tunnels = {}  # (public address index, key) -> subscriber's number
        self.closing = []
        self.fallbacks = {}  # public address index -> mappings made where a subscriber had been before
        self.tick = 0

    # ---- what a packet becomes ----------------------------------------------------

    def alive(self, mapping):
        return self.tick - mapping.last <= self.timeouts[mapping.state]

    def promise(self, mapping, protocol, remote_port, before):
        """A packet to or from that port: the mapping lives for its timer, or longer if that was promised."""
        last = self.tick
        if mapping.state in (abi.MAPPING_UDP, E) and (protocol, remote_port) in self.by_port:
            last += self.by_port[protocol, remote_port] - self.timeouts[mapping.state]
        mapping.last = max(last, mapping.last) if before == mapping.state else last

    def room(self, subscriber, blocks):
        """Ports of these blocks of it that nothing alive has."""
        taken = {mapping.end for mapping in subscriber.table.values() if self.alive(mapping)}
        return self.ports(blocks) - taken

    def ports(self, blocks):
        return {port for first in blocks for port in range(first, first + self.size)}

    def easy_room(self, subscriber, blocks):
        """The same without blocks in which every port is counted, dead or alive."""
        ends = [mapping.end for mapping in subscriber.table.values()]
        open_blocks = {first for first in blocks
                       if sum(first <= end < first + self.size for end in ends) < self.size}
        return self.room(subscriber, open_blocks)

    @staticmethod
    def home(subscriber):
        """Its blocks at the address it is paired with."""
        return {first for first in subscriber.blocks if first >> 16 == subscriber.address}

    def own_block(self, subscriber):
        """Its own block, if it may have it now: held down, it is for the one who had it last."""
        first = subscriber.fixed
        if first is None or first in self.owner or (subscriber.blocks and first >> 16 != subscriber.address):
            return set()
        return {first} if first not in self.held or self.held_for[first] is subscriber else set()

    def blocks_for(self, subscriber):
        """Blocks of which it may get one now."""
        if self.own_block(subscriber):
            return self.own_block(subscriber)
        if subscriber.blocks:
            return {first for first in self.free if first >> 16 == subscriber.address}
        paired = {first for first in self.free if first >> 16 == subscriber.address}
        return paired or self.free

    def up(self, number, key, flags=""):
        """(verdict, public ends it may come from); () when it is refused."""
        subscriber = self.subscribers[number]
        if not subscriber.active:
            return "DROP_NO_SESSION", ()
        mapping = subscriber.table.get(key)
        if "R" in flags and not (mapping and self.alive(mapping)):
            return "DROP_TCP_FLAGS", ()
        if mapping:
            return "FORWARD_UP", {mapping.end}
        home = self.home(subscriber)
        if len(subscriber.table) >= subscriber.max_mappings:
            dead = {mapping.end for mapping in subscriber.table.values() if not self.alive(mapping)}
            ends = dead & self.ports(home) or dead
            return ("FORWARD_UP", ends) if ends else ("DROP_CGNAT_MAPPING_LIMIT", ())
        room = self.easy_room(subscriber, home)
        if room:
            return "FORWARD_UP", room
        return self.up_new_block(subscriber, home)

    def up_new_block(self, subscriber, home):
        """Nothing was free at home."""
        limited, refusal = len(home) >= subscriber.max_blocks, "DROP_CGNAT_BLOCK_LIMIT"
        if not limited and len(subscriber.blocks) < abi.BLOCKS_PER_SUBSCRIBER:
            blocks = self.blocks_for(subscriber)
            if blocks:
                return "FORWARD_UP", self.ports(blocks)
            refusal = "DROP_CGNAT_NO_BLOCK"
        room = self.room(subscriber, home)
        if not room and not limited:
            room = self.room(subscriber, subscriber.blocks)
        return ("FORWARD_UP", room) if room else (refusal, ())

    def chosen(self, number, key, end, flags="", remote_port=0):
        """The packet went up from `end`: the first port of a new block, or None."""
        subscriber, taken = self.subscribers[number], None
        first = end - end % self.size
        if key not in subscriber.table and first in subscriber.blocks and end >> 16 != subscriber.address:
            self.fallbacks[subscriber.address] = self.fallbacks.get(subscriber.address, 0) + 1
        if first not in subscriber.blocks:
            if first == subscriber.fixed:
                self.held.pop(first, None)
            else:
                self.free.remove(first)
            subscriber.blocks.add(first)
            subscriber.address, self.owner[first], taken = end >> 16, number, first
        if end in self.ends and self.ends[end] != (number, key):
            del subscriber.table[self.ends[end][1]]
        mapping = subscriber.table.get(key)
        before = mapping.state if mapping and self.alive(mapping) else None
        if before is None:
            mapping = subscriber.table[key] = Mapping(end, FIRST_STATE[key[0]], self.tick)
        self.ends[end] = (number, key)
        if "R" in flags and mapping.last + self.timeouts[mapping.state] <= self.tick + self.timeouts[R]:
            return taken  # a RST from inside prolongs nothing
        if key[0] == "tcp":
            tcp_next(mapping, True, flags)
        self.promise(mapping, key[0], remote_port, before)
        return taken

    def down(self, end, protocol, flags="", remote_port=0):
        """(verdict, (subscriber's number, inner port) or None)."""
        number, key = self.ends.get(end, (None, (None, None)))
        mapping = self.subscribers[number].table[key] if number is not None else None
        if key[0] != protocol or not self.alive(mapping):
            return "DROP_CGNAT_NO_MAPPING", None
        if not self.subscribers[number].active:
            return "DROP_CGNAT_STALE", None
        if protocol == "tcp":
            before = mapping.state
            tcp_next(mapping, False, flags)
            self.promise(mapping, protocol, remote_port, before)
        return "FORWARD_DOWN", (number, key[1])

    # ---- tunnels: one of each protocol for a public address and a remote end -----------

    def tunnel_owner(self, index, key):
        """The number of the subscriber that has it now, or None."""
        number = self.tunnels.get((index, key))
        mapping = self.subscribers[number].table.get(key) if number is not None else None
        alive = mapping and self.subscribers[number].active and mapping.end >> 16 == index and self.alive(mapping)
        return number if alive else None

    def tunnel_up(self, number, key):
        """As `up`. Where a new mapping is made the tunnel may still be another's: tunnel_chosen says it."""
        subscriber = self.subscribers[number]
        mapping = subscriber.table.get(key)
        index = mapping.end >> 16 if mapping else subscriber.address
        if subscriber.active and self.tunnel_owner(index, key) not in (None, number):
            return "DROP_TUNNEL_TAKEN", ()
        return self.up(number, key)

    def tunnel_chosen(self, number, key, end):
        """(the verdict, the first port of a new block or None)."""
        taken = self.chosen(number, key, end)
        if self.tunnel_owner(end >> 16, key) not in (None, number):
            return "DROP_TUNNEL_TAKEN", taken
        self.tunnels[end >> 16, key] = number
        return "FORWARD_UP", taken

    # ---- reclaiming ------------------------------------------------------------------

    def close(self, number):
        self.subscribers[number].active = False
        self.closing.append(number)

    def _forget(self, number, key):
        del self.ends[self.subscribers[number].table.pop(key).end]

    def _give_back(self, first):
        number = self.owner.pop(first)
        self.subscribers[number].blocks.remove(first)
        self.held[first] = self.tick
        self.held_for[first] = self.subscribers[number]
        return (number, first)

    def _release(self):
        """Closed sessions: (blocks given back, sessions released)."""
        given, released = [], []
        for number in list(self.closing):
            subscriber = self.subscribers[number]
            for key in list(subscriber.table):
                self._forget(number, key)
            given += [self._give_back(first) for first in sorted(subscriber.blocks)]
            if subscriber.closed is None:
                subscriber.closed = self.tick | 1
            if self.tick - subscriber.closed > GRACE:
                self.closing.remove(number)
                released.append(number)
        return given, released

    def sweep(self):
        """(blocks given back as (subscriber's number, first port), sessions released)."""
        given, released = self._release()
        freed = [first for first, tick in self.held.items() if self.tick - tick > self.hold]
        for number, subscriber in self.subscribers.items():
            for key, mapping in list(subscriber.table.items()):
                if not self.alive(mapping):
                    self._forget(number, key)
            used = {mapping.end - mapping.end % self.size for mapping in subscriber.table.values()}
            given += [self._give_back(first) for first in sorted(subscriber.blocks - used)]
        for first in freed:
            del self.held[first]
            if first not in self.fixed:
                self.free.add(first)
        return given, released
