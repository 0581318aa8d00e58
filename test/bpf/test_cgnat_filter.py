# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Filtering by the remote end (RFC 4787 REQ-8, RFC 5382 REQ-3), for each pool: who
# may send to a public end, how long, and what happens when no more can be noted.
import pytest
from scapy.layers.inet import ICMP, IP

import abi
import frames
from plane import PUBLIC, REMOTE
from test_cgnat_mapping import open_port

OTHER = "192.0.2.2"
ADDRESS_ONLY, PORT_TOO = abi.POOL_FILTER_ADDRESS, abi.POOL_FILTER_PORT
both = pytest.mark.parametrize("filtering", [ADDRESS_ONLY, PORT_TOO], ids=["address", "port"])
protocols = pytest.mark.parametrize("protocol", frames.PROTOCOLS)


def from_remote(protocol, public, remote=REMOTE, port=None):
    if protocol == "icmp":
        l4 = frames.echo(public & 0xffff, kind="echo-reply")
    elif protocol == "tcp":
        l4 = frames.tcp(port or 80, public & 0xffff, "SA")
    else:
        l4 = frames.udp(port or 53, public & 0xffff)
    return frames.down(PUBLIC[public >> 16], l4, remote=remote)


def flows(plane):
    return [entry for bucket in plane.flow for entry in bucket.entry if entry.port]


@protocols
@both
def test_rfc4787_req8_rfc5382_req3_only_who_was_asked(plane, protocol, filtering):
    plane.pool[0].flags = filtering
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    result = plane.core(from_remote(protocol, public))
    assert result.verdict == "FORWARD_DOWN"
    assert result.frame == frames.expected_down(from_remote(protocol, public), session, 4000)
    refused = plane.core(from_remote(protocol, public, OTHER))
    assert (refused.verdict, refused.action) == ("DROP_CGNAT_FILTER", abi.XDP_DROP)
    assert open_port(plane, session, 4000, protocol, OTHER) == public
    assert plane.core(from_remote(protocol, public, OTHER)).verdict == "FORWARD_DOWN"
    assert plane.count("DROP_CGNAT_FILTER") == 1


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@both
def test_rfc4787_req8_rfc5382_req3_the_remote_port_counts_only_where_it_should(plane, protocol, filtering):
    plane.pool[0].flags = filtering
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    verdict = "FORWARD_DOWN" if filtering == ADDRESS_ONLY else "DROP_CGNAT_FILTER"
    assert plane.core(from_remote(protocol, public, port=9999)).verdict == verdict
    assert len(flows(plane)) == 1


@both
def test_rfc4787_req1_mapping_stays_endpoint_independent(plane, filtering):
    plane.pool[0].flags = filtering
    session = plane.session("10.0.0.5")
    assert len({open_port(plane, session, 4000, remote=f"192.0.2.{host}") for host in range(1, 30)}) == 1
    assert len(flows(plane)) == 29


@both
def test_each_mapping_has_remote_ends_of_its_own(plane, filtering):
    plane.pool[0].flags = filtering
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    one, two = open_port(plane, first, 4000), open_port(plane, second, 4000, remote=OTHER)
    tcp = open_port(plane, first, 4000, "tcp", remote=OTHER)
    for public, protocol, remote, allowed in ((one, "udp", REMOTE, True), (one, "udp", OTHER, False),
                                              (two, "udp", OTHER, True), (two, "udp", REMOTE, False),
                                              (tcp, "tcp", OTHER, True), (tcp, "tcp", REMOTE, False)):
        verdict = plane.core(from_remote(protocol, public, remote)).verdict
        assert verdict == ("FORWARD_DOWN" if allowed else "DROP_CGNAT_FILTER")


def test_rfc4787_req8a_rfc5382_req3a_filtering_is_the_pools(plane):
    plane.pool_build(1, addresses=(4,))
    plane.pool[1].flags = ADDRESS_ONLY
    free, filtered = plane.session("10.0.0.5"), plane.session("10.0.0.6", pool=1)
    ends = [open_port(plane, session, 4000) for session in (free, filtered)]
    assert [plane.core(from_remote("udp", end, OTHER)).verdict for end in ends] == ["FORWARD_DOWN", "DROP_CGNAT_FILTER"]
    assert len(flows(plane)) == 1


@both
def test_a_remote_end_is_forgotten_with_the_timer_of_its_mapping(plane, filtering):
    """The mapping is kept alive by another remote end; the silent one may no longer send."""
    plane.pool[0].flags = filtering
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    for _ in range(2):
        plane.advance_seconds(150)
        open_port(plane, session, 4000, remote=OTHER)
        assert plane.core(from_remote("udp", public)).verdict == "FORWARD_DOWN"
    plane.advance(2)
    assert plane.core(from_remote("udp", public)).verdict == "DROP_CGNAT_FILTER"
    assert plane.core(from_remote("udp", public, OTHER)).verdict == "FORWARD_DOWN"


def test_packets_from_outside_do_not_keep_a_remote_end(plane):
    plane.pool[0].flags = ADDRESS_ONLY | abi.POOL_REFRESH_INBOUND
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    for _ in range(3):
        plane.advance_seconds(99)
        assert plane.core(from_remote("udp", public)).verdict == "FORWARD_DOWN"
    plane.advance_seconds(10)
    assert plane.core(from_remote("udp", public)).verdict == "DROP_CGNAT_FILTER"


def test_rfc5382_req3_an_established_connection_is_remembered_as_long_as_it_lives(plane):
    plane.pool[0].flags = PORT_TOO
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, "tcp")
    assert plane.core(from_remote("tcp", public)).verdict == "FORWARD_DOWN"
    open_port(plane, session, 4000, "tcp", flags="A")
    plane.advance_seconds(7439)
    assert plane.core(from_remote("tcp", public)).verdict == "FORWARD_DOWN"


@both
def test_not_inherited_by_the_next_owner_of_the_port(plane, filtering):
    """One block for all: the next subscriber gets the same port, and the old remote end is not let in."""
    plane.pool_build(timeouts={abi.MAPPING_UDP: 1000})
    plane.pool[0].flags = filtering
    plane.meta.hold_down_ticks = 1
    plane.blocks_offer(0, [20])
    first = plane.session("10.0.0.5")
    old = {port: open_port(plane, first, port) for port in range(4000, 4064)}
    secret = first.record.port_key
    plane.close_session(first)
    for _ in range(6):
        plane.sweep()
        plane.advance(3)
    second = plane.session("10.0.0.6")
    second.record.port_key = secret  # every inner port gets the public port it had for the first
    assert {port: open_port(plane, second, port, remote=OTHER) for port in old} == old
    for public in old.values():
        assert plane.core(from_remote("udp", public)).verdict == "DROP_CGNAT_FILTER"
        assert plane.core(from_remote("udp", public, OTHER)).verdict == "FORWARD_DOWN"


def test_not_inherited_by_another_inner_port(plane):
    """A closed connection's port goes to another inner port, which lives longer than the first did. What the first
    left behind takes no room either."""
    plane.pool_build(max_mappings=1)
    plane.pool[0].flags, plane.meta.flow_mask = ADDRESS_ONLY, abi.FLOW_PROBES - 1
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, "tcp")
    for flags in ("SA", "FA"):
        plane.core(frames.down(PUBLIC[0], frames.tcp(80, public & 0xffff, flags)))
    remotes = [f"198.51.100.{host}" for host in range(1, 32)]
    for remote in (REMOTE, *remotes):
        assert open_port(plane, session, 4000, "tcp", remote, flags="FA") == public
    assert plane.mapping_state(public) == abi.MAPPING_TCP_CLOSING
    plane.advance_seconds(250)
    again = next(port for port in range(4001, 5000) if open_port(plane, session, port, "tcp", OTHER) == public)
    plane.core(from_remote("tcp", public, OTHER))
    assert plane.mapping_state(public) == abi.MAPPING_TCP_ESTABLISHED
    assert plane.core(from_remote("tcp", public)).verdict == "DROP_CGNAT_FILTER"
    assert {open_port(plane, session, again, "tcp", remote, flags="A") for remote in remotes} == {public}


def test_rfc6888_req11ad_a_full_table_of_remote_ends_refuses_the_new(plane):
    """A table of one bucket line: 32 remote ends fit, the 33rd is refused and counted; when one is over, it fits."""
    plane.meta.flow_mask = abi.FLOW_PROBES - 1
    plane.pool[0].flags = ADDRESS_ONLY
    session = plane.session("10.0.0.5")
    room = abi.FLOW_PROBES * abi.FLOWS_PER_BUCKET
    remotes = [f"192.0.2.{host}" for host in range(1, 30)] + [f"198.51.100.{host}" for host in range(1, room - 28)]
    public = open_port(plane, session, 4000)
    for remote in remotes:
        assert open_port(plane, session, 4000, remote=remote) == public
    assert len(remotes) == room and len(flows(plane)) == room
    drops = session.record.drop_packets
    assert open_port(plane, session, 4000, remote="198.51.100.99") == "DROP_CGNAT_FLOW_FULL"
    assert open_port(plane, plane.session("10.0.0.6"), 4000) == "DROP_CGNAT_FLOW_FULL"
    assert session.record.drop_packets == drops + 1 and plane.count("DROP_CGNAT_FLOW_FULL") == 2
    for remote in remotes:
        assert plane.core(from_remote("udp", public, remote)).verdict == "FORWARD_DOWN"
        assert open_port(plane, session, 4000, remote=remote) == public
    plane.advance_seconds(301)
    assert open_port(plane, session, 4000, remote="198.51.100.99") == public
    assert plane.core(from_remote("udp", public, "198.51.100.99")).verdict == "FORWARD_DOWN"


def test_a_new_blocks_flows_take_nobodys_place(plane):
    """Flows of long-lived connections are not free because somebody with a short timer, or a new block, comes."""
    plane.meta.flow_mask = abi.FLOW_PROBES - 1
    plane.pool[0].flags = ADDRESS_ONLY
    session, late = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    public = open_port(plane, session, 4000, "tcp")
    plane.core(from_remote("tcp", public))
    room = abi.FLOW_PROBES * abi.FLOWS_PER_BUCKET
    remotes = ["198.51.100.1", "198.51.100.2", "198.51.100.3", *(f"192.0.2.{host}" for host in range(1, room - 2))]
    for remote in remotes:
        assert open_port(plane, session, 4000, "tcp", remote, flags="A") == public
    plane.advance_seconds(400)
    assert open_port(plane, late, 4000, "udp") == "DROP_CGNAT_FLOW_FULL"
    assert all(plane.core(from_remote("tcp", public, remote)).verdict == "FORWARD_DOWN" for remote in remotes)


def test_a_port_forwarding_is_open_to_everybody(plane):
    plane.pool[0].flags = PORT_TOO
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    plane.mapping_at(public).flags |= abi.MAPPING_PINNED
    assert plane.core(from_remote("udp", public, OTHER, 1)).verdict == "FORWARD_DOWN"
    plane.advance_seconds(100_000)
    assert plane.core(from_remote("udp", public, OTHER, 1)).verdict == "FORWARD_DOWN"
    plane.sweep()
    assert session.record.mappings == 1
    open_port(plane, session, 4000)
    assert plane.mapping_at(public).flags & abi.MAPPING_PINNED


@both
def test_hairpin_is_filtered_like_the_rest(plane, filtering):
    plane.pool[0].flags = filtering
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    target, source = open_port(plane, second, 5000), open_port(plane, first, 4000)
    asked = frames.up(first, frames.udp(4000, target & 0xffff), remote=PUBLIC[0])
    assert plane.access(asked).verdict == "DROP_CGNAT_FILTER"
    answer = frames.up(second, frames.udp(5000, source & 0xffff), remote=PUBLIC[0])
    assert plane.access(answer).verdict == "FORWARD_HAIRPIN"  # the first asked it already
    assert plane.access(asked).verdict == "FORWARD_HAIRPIN"


def test_rfc4787_req12a_errors_come_from_anywhere(plane):
    """A router on the way was never asked."""
    plane.pool[0].flags = PORT_TOO
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    quoted = IP(src=PUBLIC[0], dst=REMOTE) / frames.udp(public & 0xffff)
    frame = frames.down(PUBLIC[0], ICMP(type=11) / quoted, remote="198.18.77.7")
    assert plane.core(frame).verdict == "FORWARD_ICMP_DOWN"
