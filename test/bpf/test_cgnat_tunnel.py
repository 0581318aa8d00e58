# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# GRE and ESP: one tunnel of each for a public address and a remote end. What comes
# out is compared byte by byte; what is refused says why.
import ctypes
import ipaddress
import mmap
import os
import signal
import struct

import pytest
from scapy.layers.inet import ICMP, IP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import bpfobject
import frames
import invariants
from plane import ACC2, MTU, PUBLIC, REMOTE, SMALL_MTU, TIMEOUTS
from test_packet_forward import ENCAPSULATIONS

GRE, ESP = 47, 50
OTHER_REMOTE = "192.0.2.9"
TUNNEL = TIMEOUTS[abi.MAPPING_TUNNEL]
PAYLOADS = {
    "pptp": (GRE, struct.pack("!HHHHI", 0x3001, 0x880b, 5, 0x1234, 1) + b"frame"),
    "gre": (GRE, struct.pack("!HH", 0, 0x0800) + bytes(24)),
    "esp": (ESP, struct.pack("!II", 0xc0ffee, 1) + bytes(32)),
}
kinds = pytest.mark.parametrize("kind", PAYLOADS)


def up(session, kind="pptp", remote=REMOTE, payload=None, **ip):
    number, usual = PAYLOADS[kind]
    return frames.up(session, Raw(usual if payload is None else payload), remote=remote, proto=number, **ip)


def down(public, kind="pptp", remote=REMOTE, payload=None, **ip):
    number, usual = PAYLOADS[kind]
    return frames.down(public, Raw(usual if payload is None else payload), remote=remote, proto=number, **ip)


def opened(plane, session, kind="pptp", remote=REMOTE):
    """The public address that the tunnel got."""
    result = plane.access(up(session, kind, remote), session.interface)
    assert result.verdict == "FORWARD_UP"
    return frames.ip_of(result.frame).src


def comes_back(plane, session, public, kind="pptp", remote=REMOTE, verdict="FORWARD_DOWN"):
    frame = down(public, kind, remote)
    result = plane.core(frame)
    assert result.verdict == verdict
    if verdict == "FORWARD_DOWN":
        assert result.frame == frames.expected_down(frame, session)


def table(plane):
    """place -> (port, remote) of every entry."""
    view = memoryview(plane.tunnel).cast("B").cast("Q")
    return {place: (word & 0xffffffff, word >> 32) for place, word in enumerate(view) if word}


def table_put(plane, place, entry):
    memoryview(plane.tunnel).cast("B").cast("Q")[place] = entry[0] | entry[1] << 32


def test_bytes_of_a_table_word(plane):
    session = plane.session("10.0.0.5")
    opened(plane, session)
    ((_, (port, remote)),) = table(plane).items()
    assert port >> 16 == 0 and port & 0xffff >= abi.FIRST_PORT
    assert remote.to_bytes(4, "little") == ipaddress.ip_address(REMOTE).packed


# ---- translation -----------------------------------------------------------------

@kinds
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_only_the_address_changes(plane, kind, tags):
    session = plane.session("10.0.0.5", tags=tags)
    frame = up(session, kind)
    result = plane.access(frame)
    assert result.verdict == "FORWARD_UP"
    assert result.frame == frames.expected_up(frame, (PUBLIC[0], None))
    comes_back(plane, session, PUBLIC[0], kind)
    assert session.record.up_packets == session.record.down_packets == 1
    assert session.record.mappings == 1 == invariants.check(plane)


@kinds
def test_again_and_again_it_is_the_same_tunnel(plane, kind):
    session = plane.session("10.0.0.5")
    for _ in range(3):
        assert opened(plane, session, kind) == PUBLIC[0]
        plane.advance(5)
    assert session.record.mappings == 1 == len(table(plane))
    assert len(plane.events()) == 1  # its port block


def test_options_stay(plane):
    session = plane.session("10.0.0.5")
    option = {"options": b"\x94\x04\x00\x00"}
    frame = up(session, **option)
    assert plane.access(frame).frame == frames.expected_up(frame, (PUBLIC[0], None))
    frame = down(PUBLIC[0], **option)
    assert plane.core(frame).frame == frames.expected_down(frame, session)


def test_protocols_are_independent(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session, "gre")
    comes_back(plane, session, PUBLIC[0], "esp", verdict="DROP_TUNNEL_UNKNOWN")
    opened(plane, other, "esp")
    comes_back(plane, session, PUBLIC[0], "gre")
    comes_back(plane, other, PUBLIC[0], "esp")


def test_each_remote_end_is_a_tunnel_of_its_own(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    opened(plane, other, remote=OTHER_REMOTE)
    comes_back(plane, session, PUBLIC[0])
    comes_back(plane, other, PUBLIC[0], remote=OTHER_REMOTE)
    assert len(table(plane)) == 2


def same_tag(remote):
    """Another address behind the default route whose tag is the same."""
    def tag(address):
        return int.from_bytes(ipaddress.ip_address(address).packed, "little") * 0x9e3779b1 >> 16 & 0xffff
    wanted = tag(remote)
    return next(str(ipaddress.ip_address(number)) for number in range(0x08080000, 0x08180000)
                if tag(number) == wanted)


def test_remote_ends_of_one_tag_share_a_mapping(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    twin = same_tag(REMOTE)
    opened(plane, session)
    comes_back(plane, session, PUBLIC[0], remote=twin, verdict="DROP_TUNNEL_UNKNOWN")
    opened(plane, other, remote=twin)
    comes_back(plane, session, PUBLIC[0])
    comes_back(plane, other, PUBLIC[0], remote=twin)
    third = plane.session("10.0.0.7")
    plane.pool_build(index=1, addresses=(4,))
    third.record.pool = 1
    for remote in (REMOTE, twin):
        assert opened(plane, third, remote=remote) == PUBLIC[4]
        comes_back(plane, third, PUBLIC[4], remote=remote)
    assert third.record.mappings == 1 and len(table(plane)) == 4


def test_from_a_stranger(plane):
    session = plane.session("10.0.0.5")
    opened(plane, session)
    comes_back(plane, session, PUBLIC[0], remote=OTHER_REMOTE, verdict="DROP_TUNNEL_UNKNOWN")
    assert plane.pool_address[0].drops == 1


@pytest.mark.parametrize("number", [51, 132, 4, 89])
def test_other_protocols_are_refused(plane, number):
    session = plane.session("10.0.0.5")
    assert plane.access(frames.up(session, Raw(bytes(40)), proto=number)).verdict == "DROP_PROTOCOL"
    assert plane.core(frames.down(PUBLIC[0], Raw(bytes(40)), proto=number)).verdict == "DROP_PROTOCOL"
    assert session.record.mappings == 0 == session.record.drop_packets - 1


@pytest.mark.parametrize("kind, least", [("gre", 4), ("esp", 8)])
def test_truncated(plane, kind, least):
    session = plane.session("10.0.0.5")
    opened(plane, session, kind)
    assert plane.access(up(session, kind, payload=bytes(least))).verdict == "FORWARD_UP"
    assert plane.access(up(session, kind, payload=bytes(least - 1))).verdict == "DROP_SHORT"
    assert plane.core(down(PUBLIC[0], kind, payload=bytes(least))).verdict == "FORWARD_DOWN"
    assert plane.core(down(PUBLIC[0], kind, payload=bytes(least - 1))).verdict == "DROP_SHORT"


def test_an_exempt_destination_sees_the_inner_address(plane):
    session = plane.session("10.0.0.5")
    plane.exempt_add("192.0.2.0/28")
    frame = up(session)
    result = plane.access(frame)
    assert result.verdict == "FORWARD_UP_EXEMPT" and result.frame == frames.expected_up(frame, None)
    assert not table(plane)


def test_ike_keeps_its_way(plane):
    """IKE (RFC 7296) from port 500 is UDP like any other; its ESP comes by a tunnel."""
    session = plane.session("10.0.0.5")
    result = plane.access(frames.up(session, frames.udp(500, 500, data=bytes(28))))
    assert result.verdict == "FORWARD_UP"
    public = frames.public_end(result)
    assert public & 0xffff >= abi.FIRST_PORT and public % 2 == 0
    back = frames.down(PUBLIC[0], frames.udp(500, public & 0xffff, data=bytes(28)))
    assert plane.core(back).frame == frames.expected_down(back, session, 500)
    assert opened(plane, session, "esp") == PUBLIC[public >> 16]


# ---- one for a public address and a remote end ----------------------------------------

@kinds
def test_a_second_subscriber_is_refused(plane, kind):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session, kind)
    opened(plane, other, kind, OTHER_REMOTE)  # so it has its public address
    result = plane.access(up(other, kind))
    assert result.verdict == "DROP_TUNNEL_TAKEN" and result.action == abi.XDP_TX
    assert other.record.mappings == 1 and len(table(plane)) == 2
    comes_back(plane, session, PUBLIC[0], kind)
    *_, event = plane.events()
    assert (event.type, event.slot, abi.VERDICTS[event.verdict]) == \
        (abi.EVENT_SUBSCRIBER_REFUSED, other.slot, "DROP_TUNNEL_TAKEN")


@pytest.mark.parametrize("refusal, code", [(abi.REFUSAL_PROHIBITED, 13), (abi.REFUSAL_HOST, 1), (abi.REFUSAL_SILENT, None)])
def test_rfc5508_req8_who_is_refused_is_told_by_policy(plane, refusal, code):
    plane.pool[0].refusal = refusal
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    frame = up(other)
    result = plane.access(frame)
    assert result.verdict == "DROP_TUNNEL_TAKEN"
    assert result.action == (abi.XDP_DROP if code is None else abi.XDP_TX)
    if code is not None:
        said = frames.ip_of(result.frame)
        assert (said.dst, said[ICMP].type, said[ICMP].code) == (other.address, 3, code)
        assert bytes(said[ICMP].payload) == frames.ip_of(frame).build()[:28]


def test_it_may_have_it_once_the_first_has_ended(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    plane.advance(abi.ticks(TUNNEL))
    assert plane.access(up(other)).verdict == "DROP_TUNNEL_TAKEN"
    plane.advance(1)
    opened(plane, other)
    comes_back(plane, other, PUBLIC[0])
    assert plane.access(up(session)).verdict == "DROP_TUNNEL_TAKEN"


def test_who_keeps_asking_keeps_nothing_alive(plane):
    """A refused subscriber's own mapping, made before it had an address, dies by its timer."""
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    assert plane.access(up(other)).verdict == "DROP_TUNNEL_TAKEN"
    assert other.record.mappings == 1
    for _ in range(4):
        plane.advance_seconds(TUNNEL / 3)
        opened(plane, session)
        assert plane.access(up(other)).verdict == "DROP_TUNNEL_TAKEN"
    plane.sweep()
    assert other.record.mappings == 0 and session.record.mappings == 1


def test_another_public_address_has_its_own(plane):
    plane.pool_build(index=1, addresses=(4,))
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6", pool=1, interface=ACC2)
    assert opened(plane, session) == PUBLIC[0] and opened(plane, other) == PUBLIC[4]
    comes_back(plane, session, PUBLIC[0])
    comes_back(plane, other, PUBLIC[4])


def test_a_subscriber_keeps_its_public_address(plane):
    plane.pool_build(addresses=range(8))
    session = plane.session("10.0.0.5")
    public = opened(plane, session)
    udp = plane.access(frames.up(session, frames.udp(4000)))
    assert frames.ip_of(udp.frame).src == public
    assert {opened(plane, session, kind, f"192.0.2.{number}") for kind in PAYLOADS for number in range(1, 20)} == {public}


def test_wherever_its_entry_lies(plane):
    """An entry at the last of its places still counts, though there is room before it."""
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    ((place, entry),) = table(plane).items()
    table_put(plane, place, (0, 0))
    table_put(plane, (place + abi.TUNNEL_PROBES - 1) % abi.TUNNELS, entry)
    comes_back(plane, session, PUBLIC[0])
    assert plane.access(up(other)).verdict == "DROP_TUNNEL_TAKEN"
    assert len(table(plane)) == 1


# ---- time --------------------------------------------------------------------------

@kinds
def test_its_timer_to_the_tick(plane, kind):
    session = plane.session("10.0.0.5")
    opened(plane, session, kind)
    for _ in range(2):
        plane.advance(abi.ticks(TUNNEL))
        opened(plane, session, kind)
    plane.advance(abi.ticks(TUNNEL))
    comes_back(plane, session, PUBLIC[0], kind)
    plane.advance(1)
    comes_back(plane, session, PUBLIC[0], kind, verdict="DROP_TUNNEL_UNKNOWN")


def test_the_pools_timer(plane):
    plane.pool_build(timeouts={abi.MAPPING_TUNNEL: 7})
    session = plane.session("10.0.0.5")
    opened(plane, session)
    plane.advance(abi.ticks(7) + 1)
    comes_back(plane, session, PUBLIC[0], verdict="DROP_TUNNEL_UNKNOWN")


@pytest.mark.parametrize("flag, verdict", [(0, "DROP_TUNNEL_UNKNOWN"), (abi.POOL_REFRESH_INBOUND, "FORWARD_DOWN")])
def test_inbound_refreshes_where_the_pool_says_so(plane, flag, verdict):
    plane.pool[0].flags |= flag
    session = plane.session("10.0.0.5")
    opened(plane, session)
    plane.advance(abi.ticks(TUNNEL))
    comes_back(plane, session, PUBLIC[0])
    plane.advance(1)
    comes_back(plane, session, PUBLIC[0], verdict=verdict)


def test_the_sweep_reclaims(plane):
    session = plane.session("10.0.0.5")
    opened(plane, session)
    plane.advance(abi.ticks(TUNNEL))
    plane.sweep()
    assert len(table(plane)) == 1 == session.record.mappings
    plane.advance(1)
    plane.sweep()
    assert not table(plane) and session.record.mappings == 0 == invariants.check(plane)


def test_the_end_of_a_session_frees_its_tunnels(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    plane.close_session(session)
    comes_back(plane, session, PUBLIC[0], verdict="DROP_TUNNEL_UNKNOWN")
    opened(plane, other)  # nobody has swept yet
    comes_back(plane, other, PUBLIC[0])
    plane.sweep()
    plane.sweep()
    assert len(table(plane)) == 1
    comes_back(plane, other, PUBLIC[0])


def test_the_next_owner_of_a_port_inherits_no_tunnel(plane):
    """Every port is the same one: a block of one port's choice given on without hold-down."""
    plane.meta.hold_down_ticks = 0
    plane.blocks_offer(0, [700])
    session = plane.session("10.0.0.5")
    opened(plane, session)
    plane.close_session(session)
    for _ in range(6):
        plane.advance(1)
        plane.sweep()
    other = plane.session("10.0.0.6")
    for port in range(64):
        assert plane.access(frames.up(other, frames.udp(5000 + port))).verdict == "FORWARD_UP"
    comes_back(plane, other, PUBLIC[0], verdict="DROP_TUNNEL_UNKNOWN")
    assert not table(plane)


def test_a_tunnel_keeps_its_address_when_the_session_is_paired_anew(plane):
    """As steering does it: new mappings elsewhere, the tunnel where it is until it ends."""
    plane.pool_build(addresses=(0, 1))
    session = plane.session("10.0.0.5")
    public = opened(plane, session)
    session.record.address_index = 1 - PUBLIC.index(public)
    for _ in range(3):
        plane.advance(20)
        assert opened(plane, session) == public
        comes_back(plane, session, public)


# ---- limits ------------------------------------------------------------------------

def test_it_counts_as_a_mapping(plane):
    session = plane.session("10.0.0.5", max_mappings=2)
    opened(plane, session)
    opened(plane, session, remote=OTHER_REMOTE)
    result = plane.access(up(session, "esp"))
    assert result.verdict == "DROP_CGNAT_MAPPING_LIMIT" and result.action == abi.XDP_TX
    assert plane.pool_address[0].limit_hits == 1
    opened(plane, session)


def test_a_pool_without_blocks(plane):
    plane.blocks_offer(0, [])
    session = plane.session("10.0.0.5")
    assert plane.access(up(session)).verdict == "DROP_CGNAT_NO_BLOCK"
    assert not table(plane)


def test_a_session_without_a_pool(plane):
    plane.pool[0].address_count = 0
    session = plane.session("10.0.0.5")
    assert plane.access(up(session)).verdict == "DROP_CGNAT_NO_POOL"


def test_a_full_table_refuses_and_evicts_nothing(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, session)
    ((_, entry),) = table(plane).items()
    for place in range(abi.TUNNELS):
        table_put(plane, place, entry)
    result = plane.access(up(other, remote=OTHER_REMOTE))
    assert result.verdict == "DROP_TUNNEL_FULL" and result.action == abi.XDP_TX
    assert set(table(plane).values()) == {entry} and len(table(plane)) == abi.TUNNELS
    comes_back(plane, session, PUBLIC[0], "esp", verdict="DROP_TUNNEL_UNKNOWN")
    comes_back(plane, session, PUBLIC[0])
    plane.advance(abi.ticks(TUNNEL) + 1)  # all of them dead, none swept
    opened(plane, other, remote=OTHER_REMOTE)
    comes_back(plane, other, PUBLIC[0], remote=OTHER_REMOTE)


def run_beside(plane, me, packets, turns, actions):
    """Runs the n-th frame when the other process is about to run its n-th: in a loop, without waiting."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[me % len(cpus)]})
    data, context = ctypes.create_string_buffer(256), bpfobject.XdpMd()
    opts = bpfobject.TestRunOpts(sz=ctypes.sizeof(bpfobject.TestRunOpts), data_in=ctypes.addressof(data), repeat=1,
                                 ctx_in=ctypes.addressof(context), ctx_size_in=ctypes.sizeof(context))
    context.ingress_ifindex = plane.ifindex["acc1"]
    program, run, where = plane.object.program("bng_access"), bpfobject.libbpf.bpf_prog_test_run_opts, ctypes.addressof(opts)
    for number, frame in enumerate(packets):
        ctypes.memmove(data, frame, len(frame))
        context.data_end = opts.data_size_in = len(frame)
        turns[me] = number + 1
        while turns[1 - me] <= number:
            pass
        actions[number] = 255 if run(program, where) else opts.retval


def test_two_at_once_never_both_get_it(plane):
    """Two subscribers on two CPUs, the same remote ends at the same time."""
    plane.pool_build(shift=12, max_mappings=8192)
    plane.pool[0].refusal = abi.REFUSAL_SILENT
    remotes = [ipaddress.ip_address(f"192.0.{3 + number // 250}.{1 + number % 250}").packed for number in range(3000)]
    sessions = [plane.session("10.0.0.5"), plane.session("10.0.0.6")]
    for session in sessions:  # so that each has its public address
        assert plane.access(frames.up(session, frames.udp(4000))).verdict == "FORWARD_UP"
    # Only the destination differs; checksums are not looked at.
    packets = [[frame[:30] + remote + frame[34:] for remote in remotes] for frame in map(up, sessions)]
    shared = mmap.mmap(-1, 4 * mmap.PAGESIZE)
    turns, actions = memoryview(shared)[:16].cast("Q"), memoryview(shared)[mmap.PAGESIZE:]
    of_each = actions[:len(remotes)], actions[len(remotes):2 * len(remotes)]
    usual = os.sched_getaffinity(0)
    child = os.fork()
    if not child:
        try:
            run_beside(plane, 1, packets[1], turns, of_each[1])
            os._exit(0)
        finally:
            os._exit(1)
    try:
        run_beside(plane, 0, packets[0], turns, of_each[0])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.sched_setaffinity(0, usual)
        ended = os.waitpid(child, 0)[1]
    assert ended == 0
    both = list(zip(*of_each))
    assert {abi.XDP_REDIRECT, abi.XDP_DROP} == {action for pair in both for action in pair}
    assert (abi.XDP_REDIRECT, abi.XDP_REDIRECT) not in both
    entries = [remote for _, remote in table(plane).values()]
    assert len(entries) == len(set(entries))
    neither = both.count((abi.XDP_DROP, abi.XDP_DROP))
    assert neither < len(remotes) // 4, neither  # who meets another withdraws; its next packet may have it
    invariants.check(plane)


# ---- fragments, sizes, hairpinning -------------------------------------------------

@kinds
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "out of order"])
def test_rfc4787_req14_every_fragment_goes_through(plane, kind, order):
    session = plane.session("10.0.0.5")
    number, payload = PAYLOADS[kind]
    opened(plane, session, kind)
    whole = IP(src=session.address, dst=REMOTE, proto=number, id=77) / Raw(payload + bytes(2000))
    for piece in fragment(whole, 600)[::order]:
        frame = bytes(frames.ethernet(session.mac, session.interface_mac, ()) / piece)
        result = plane.access(frame)
        assert result.verdict == "FORWARD_UP"
        assert result.frame[:34] == frames.expected_up(frame, (PUBLIC[0], None))[:34]
    whole = IP(src=REMOTE, dst=PUBLIC[0], proto=number, id=78) / Raw(payload + bytes(2000))
    for piece in fragment(whole, 600)[::order]:
        frame = frames.down(PUBLIC[0], piece.payload, proto=number, id=78, flags=piece.flags, frag=piece.frag)
        result = plane.core(frame)
        assert result.verdict == "FORWARD_DOWN" and result.frame == frames.expected_down(frame, session)


def test_a_tunnel_may_begin_with_a_later_fragment(plane):
    session = plane.session("10.0.0.5")
    assert plane.access(up(session, frag=100, id=5)).verdict == "FORWARD_UP"
    comes_back(plane, session, PUBLIC[0])


def test_ttl(plane):
    session = plane.session("10.0.0.5")
    assert plane.access(up(session, ttl=1)).verdict == "ANSWER_TTL"
    opened(plane, session)
    assert plane.core(down(PUBLIC[0], ttl=1)).verdict == "ANSWER_TTL"


def test_rfc4787_req13_too_large_and_not_to_be_fragmented(plane):
    session = plane.session("10.0.0.5")
    payload = PAYLOADS["gre"][1] + bytes(1000)
    result = plane.access(up(session, "gre", SMALL_MTU, payload, flags="DF"))
    assert result.verdict == "DROP_MTU" and frames.ip_of(result.frame)[ICMP].nexthopmtu == 1000
    assert plane.access(up(session, "gre", SMALL_MTU, payload)).verdict == "PASS_FRAGMENT"
    opened(plane, session, "gre")
    plane.interface[session.interface].mtu = 1400
    frame = down(PUBLIC[0], "gre", payload=PAYLOADS["gre"][1] + bytes(1400), flags="DF")
    result = plane.core(frame)
    assert result.verdict == "DROP_MTU" and result.action == abi.XDP_TX
    said = frames.ip_of(result.frame)
    assert (said.dst, said[ICMP].code, said[ICMP].nexthopmtu) == (REMOTE, 4, 1400)
    assert bytes(said[ICMP].payload) == frames.ip_of(frame).build()[:28]
    plane.interface[session.interface].mtu = MTU


@kinds
@pytest.mark.parametrize("fields", [{}, {"frag": 10}, {"flags": "MF"}], ids=["whole", "later", "first"])
def test_to_another_subscribers_public_address(plane, kind, fields):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    opened(plane, other, kind)
    assert plane.access(up(session, kind, PUBLIC[0], **fields)).verdict == "DROP_TUNNEL_HAIRPIN"
    assert session.record.mappings == 0


# ---- ICMP errors about tunnels --------------------------------------------------------

@kinds
def test_rfc5508_req4abc_an_error_about_what_went_out(plane, kind):
    session = plane.session("10.0.0.5")
    sent = up(session, kind)
    seen = bytes(frames.ip_of(plane.access(sent).frame))
    frame = frames.down(PUBLIC[0], ICMP(type=3, code=4, nexthopmtu=1400) / Raw(seen[:28]), remote="198.18.77.7")
    result = plane.core(frame)
    assert result.verdict == "FORWARD_ICMP_DOWN"
    quoted = frames.translated(bytes(Ether(type=0x800)) + seen, source=(session.address, None), hops=0)
    expected = IP(src="198.18.77.7", dst=session.address, ttl=63) / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(quoted[:28])
    assert bytes(frames.ip_of(result.frame)) == bytes(expected)


@kinds
def test_rfc5508_req5abc_an_error_about_what_came_in(plane, kind):
    session = plane.session("10.0.0.5")
    opened(plane, session, kind)
    seen = bytes(frames.ip_of(plane.core(down(PUBLIC[0], kind)).frame))
    result = plane.access(frames.up(session, ICMP(type=3, code=2) / Raw(seen[:28])))
    assert result.verdict == "FORWARD_ICMP_UP"
    quoted = frames.translated(bytes(Ether(type=0x800)) + seen, destination=(PUBLIC[0], None), hops=0)
    expected = IP(src=PUBLIC[0], dst=REMOTE, ttl=63) / ICMP(type=3, code=2) / Raw(quoted[:28])
    assert bytes(frames.ip_of(result.frame)) == bytes(expected)


@kinds
def test_rfc5508_req4_rfc5508_req5_an_error_about_no_tunnel(plane, kind):
    session = plane.session("10.0.0.5")
    opened(plane, session, kind)
    number, payload = PAYLOADS[kind]
    for source, destination in ((PUBLIC[0], OTHER_REMOTE), (PUBLIC[1], REMOTE)):
        quoted = bytes(IP(src=source, dst=destination, proto=number) / Raw(payload))[:28]
        frame = frames.down(PUBLIC[0], ICMP(type=3, code=4) / Raw(quoted), remote="198.18.77.7")
        assert plane.core(frame).verdict == "DROP_ICMP_QUOTE"
    quoted = bytes(IP(src=OTHER_REMOTE, dst=session.address, proto=number) / Raw(payload))[:28]
    assert plane.access(frames.up(session, ICMP(type=3, code=2) / Raw(quoted))).verdict == "DROP_ICMP_QUOTE"
