# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Timers by destination port: shorter and longer than the pool's own, to the tick;
# where several destinations share a mapping the longest promise holds.
import pytest

import abi
import frames
import invariants
from plane import PUBLIC, REMOTE, TIMEOUTS
from test_cgnat_mapping import reaches

DNS, SSH, LONG = 10, 86400, 3600
BY_PORT = {("udp", 53): DNS, ("udp", 4500): LONG, ("tcp", 22): SSH, ("tcp", 443): 600}
PROTOCOLS = {"udp": abi.PROTOCOL_UDP, "tcp": abi.PROTOCOL_TCP}
OTHER = 8000  # a destination port without a timer of its own
UDP, ESTABLISHED = TIMEOUTS[abi.MAPPING_UDP], TIMEOUTS[abi.MAPPING_TCP_ESTABLISHED]


def timers_build(plane, by_port=BY_PORT, index=0):
    for entry, ((protocol, port), seconds) in zip(plane.port_timer[index].entry, by_port.items()):
        entry.port_be = int.from_bytes(port.to_bytes(2, "big"), "little")
        entry.protocol, entry.ticks = PROTOCOLS[protocol], abi.ticks(seconds)
    plane.pool[index].flags |= abi.POOL_PORT_TIMERS


@pytest.fixture
def timed(plane):
    plane.pool_build()
    timers_build(plane)
    return plane


def udp_to(plane, session, port, remote_port, remote=REMOTE):
    result = plane.access(frames.up(session, frames.udp(port, remote_port), remote=remote))
    assert result.verdict == "FORWARD_UP"
    return frames.public_end(result)


def tcp_to(plane, session, port, remote_port, flags="A"):
    result = plane.access(frames.up(session, frames.tcp(port, remote_port, flags=flags)))
    assert result.verdict == "FORWARD_UP"
    return frames.public_end(result)


def tcp_from(plane, public, remote_port, flags="A", verdict="FORWARD_DOWN"):
    packet = frames.tcp(remote_port, public & 0xffff, flags=flags)
    assert plane.core(frames.down(PUBLIC[public >> 16], packet)).verdict == verdict


def established(plane, session, port, remote_port):
    public = tcp_to(plane, session, port, remote_port, "S")
    tcp_from(plane, public, remote_port, "SA")
    assert tcp_to(plane, session, port, remote_port) == public
    return public


def dies_at(plane, public, session, port, seconds, protocol="udp"):
    """Alive at the last tick of the timer, dead at the next."""
    plane.advance(abi.ticks(seconds))
    assert reaches(plane, public, session, port, protocol)
    plane.advance(1)
    assert not reaches(plane, public, session, port, protocol)


@pytest.mark.parametrize("remote_port, seconds", [(53, DNS), (4500, LONG), (OTHER, UDP), (22, UDP)])
def test_rfc4787_req5a_the_destination_port_decides(timed, remote_port, seconds):
    session = timed.session("10.0.0.5")
    dies_at(timed, udp_to(timed, session, 4000, remote_port), session, 4000, seconds)
    assert timed.count("DROP_CGNAT_NO_MAPPING") == 1


@pytest.mark.parametrize("remote_port, seconds", [(22, SSH), (443, 600), (OTHER, ESTABLISHED), (53, ESTABLISHED)])
def test_rfc5382_req5_established_by_destination_port(timed, remote_port, seconds):
    session = timed.session("10.0.0.5")
    public = established(timed, session, 4000, remote_port)
    timed.advance(abi.ticks(seconds))
    tcp_from(timed, public, remote_port)
    timed.advance(abi.ticks(seconds) + 1)
    tcp_from(timed, public, remote_port, verdict="DROP_CGNAT_NO_MAPPING")


@pytest.mark.parametrize("order", [(53, OTHER), (OTHER, 53), (53, OTHER, 53)])
def test_rfc4787_req5_the_longest_promise_holds(timed, order):
    session = timed.session("10.0.0.5")
    (public,) = {udp_to(timed, session, 4000, remote_port) for remote_port in order}
    dies_at(timed, public, session, 4000, UDP)


def test_rfc4787_req5_a_promise_outlives_later_shorter_ones(timed):
    """Long first; the usual and the short ones go on meanwhile and take nothing from it."""
    session = timed.session("10.0.0.5")
    public, promised = udp_to(timed, session, 4000, 4500), timed.tick + abi.ticks(LONG)
    for _ in range(10):
        timed.advance_seconds(100)
        assert udp_to(timed, session, 4000, OTHER) == public == udp_to(timed, session, 4000, 53)
    timed.advance(promised - timed.tick)
    assert reaches(timed, public, session, 4000)
    timed.advance(1)
    assert not reaches(timed, public, session, 4000)


def test_the_longest_promise_may_be_the_usual_one(timed):
    """A later packet to an ordinary port promises more than what is left of a long one."""
    session = timed.session("10.0.0.5")
    public = udp_to(timed, session, 4000, 4500)
    timed.advance_seconds(LONG - 50)
    assert udp_to(timed, session, 4000, OTHER) == public
    dies_at(timed, public, session, 4000, UDP)


def test_each_packet_renews_the_promise(timed):
    session = timed.session("10.0.0.5")
    public = udp_to(timed, session, 4000, 53)
    for _ in range(5):
        timed.advance(abi.ticks(DNS))
        assert udp_to(timed, session, 4000, 53) == public
    dies_at(timed, public, session, 4000, DNS)


def test_a_long_promise_is_renewed_while_it_lies_ahead(timed):
    session = timed.session("10.0.0.5")
    public = established(timed, session, 4000, 22)
    timed.advance_seconds(60)
    tcp_from(timed, public, 22)  # from outside, for TCP
    timed.advance(abi.ticks(SSH))
    tcp_from(timed, public, 22)
    timed.advance(abi.ticks(SSH) + 1)
    tcp_from(timed, public, 22, verdict="DROP_CGNAT_NO_MAPPING")


def test_one_packet_in_a_tick_is_enough(timed):
    """The mapping has been used in this very tick already, by another destination."""
    session = timed.session("10.0.0.5")
    udp_to(timed, session, 4000, OTHER)
    timed.advance(5)
    udp_to(timed, session, 4000, OTHER)
    public = udp_to(timed, session, 4000, 4500)
    dies_at(timed, public, session, 4000, LONG)


def test_rfc5382_req5_ending_states_keep_their_timers(timed):
    session = timed.session("10.0.0.5")
    closing = established(timed, session, 4000, 22)
    tcp_to(timed, session, 4000, 22, "FA")
    tcp_from(timed, closing, 22, "FA")
    reset = established(timed, session, 4001, 22)
    tcp_to(timed, session, 4001, 22, "R")
    for public, state in ((closing, abi.MAPPING_TCP_CLOSING), (reset, abi.MAPPING_TCP_RESET)):
        assert timed.mapping_state(public) == state
        assert timed.mapping_at(public).last_tick == timed.tick
    timed.advance_seconds(240)
    tcp_from(timed, closing, 22)
    timed.advance(2)
    tcp_from(timed, reset, 22, verdict="DROP_CGNAT_NO_MAPPING")


def test_a_reset_that_is_not_believed_gives_the_promise_back(timed):
    session = timed.session("10.0.0.5")
    public = established(timed, session, 4000, 22)
    tcp_from(timed, public, 22, "R")
    tcp_from(timed, public, 22)
    timed.advance(abi.ticks(SSH))
    tcp_from(timed, public, 22)


def test_a_dead_mapping_begins_with_the_new_promise(timed):
    session = timed.session("10.0.0.5")
    public = udp_to(timed, session, 4000, 4500)
    timed.advance(abi.ticks(LONG) + 1)
    assert udp_to(timed, session, 4000, 53) == public
    dies_at(timed, public, session, 4000, DNS)


@pytest.mark.parametrize("refresh, alive", [(0, False), (abi.POOL_REFRESH_INBOUND, True)])
def test_inbound_promises_only_where_the_pool_says_so(timed, refresh, alive):
    timed.pool[0].flags |= refresh
    session = timed.session("10.0.0.5")
    public = udp_to(timed, session, 4000, 53)
    timed.advance(abi.ticks(DNS) // 2)
    assert reaches(timed, public, session, 4000)
    timed.advance(abi.ticks(DNS) // 2 + 2)
    assert reaches(timed, public, session, 4000) == alive


@pytest.mark.parametrize("remote_port, seconds", [(53, DNS), (4500, LONG), (OTHER, UDP)])
def test_the_sweep_agrees(timed, remote_port, seconds):
    session = timed.session("10.0.0.5")
    udp_to(timed, session, 4000, remote_port)
    timed.advance(abi.ticks(seconds))
    timed.sweep()
    assert session.record.mappings == 1 == invariants.check(timed)
    timed.advance(1)
    timed.sweep()
    assert session.record.mappings == 0 == invariants.check(timed)


def test_filtering_keeps_a_remote_end_as_long_as_promised(timed):
    timed.pool[0].flags |= abi.POOL_FILTER_PORT
    session = timed.session("10.0.0.5")
    public = udp_to(timed, session, 4000, 4500)
    timed.advance(abi.ticks(LONG))
    back = frames.down(PUBLIC[public >> 16], frames.udp(4500, public & 0xffff))
    assert timed.core(back).verdict == "FORWARD_DOWN"
    assert udp_to(timed, session, 4000, 53) == public
    timed.advance(1)
    assert timed.core(back).verdict == "DROP_CGNAT_FILTER"  # its own time is over, the mapping's is not


def test_filtering_by_address_keeps_the_longest_of_its_ports(timed):
    timed.pool[0].flags |= abi.POOL_FILTER_ADDRESS
    session = timed.session("10.0.0.5")
    public = udp_to(timed, session, 4000, 4500)
    timed.advance_seconds(60)
    assert udp_to(timed, session, 4000, 53) == public
    timed.advance_seconds(LONG - 61)
    assert reaches(timed, public, session, 4000)


def test_other_pools_have_other_timers(timed):
    timed.pool_build(index=1, addresses=(4,))
    session = timed.session("10.0.0.9", pool=1)
    dies_at(timed, udp_to(timed, session, 4000, 53), session, 4000, UDP)


def test_every_place_of_the_list_counts(plane):
    plane.pool_build()
    ports = range(100, 100 + abi.PORT_TIMERS)
    timers_build(plane, {("udp", port): port for port in ports})
    session = plane.session("10.0.0.5")
    for port in (ports[0], ports[-1]):
        dies_at(plane, udp_to(plane, session, port, port), session, port, port)
