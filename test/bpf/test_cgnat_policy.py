# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What a pool decides about its mappings: port parity (RFC 4787 REQ-4), refresh from
# outside (REQ-6), the rate of new mappings (RFC 6888 REQ-5).
import pytest

import abi
import frames
from plane import PUBLIC, REMOTE
from test_cgnat_mapping import open_port, reaches


@pytest.mark.parametrize("shift", [6, 9, 12])
def test_rfc4787_req4_rfc7857_s8_udp_parity_is_kept(plane, shift):
    plane.pool_build(shift=shift)
    session = plane.session("10.0.0.5")
    for port in (*range(1, 21), 4000, 4001, 65534, 65535):
        assert open_port(plane, session, port) % 2 == port % 2


def test_rfc4787_req4_parity_holds_until_no_port_of_it_is_left(plane):
    """One block of 64: the 32 even ones keep theirs, the 33rd even one gets an odd port rather than none."""
    session = plane.session("10.0.0.5", max_blocks=1)
    ends = [open_port(plane, session, port) for port in range(4000, 4064, 2)]
    assert {end % 2 for end in ends} == {0} and len(set(ends)) == 32
    assert open_port(plane, session, 5000) % 2 == 1
    assert [open_port(plane, session, port) for port in range(4000, 4064, 2)] == ends
    odd = {open_port(plane, session, port) for port in range(4001, 4063, 2)}
    assert {end % 2 for end in odd} == {1} and len(odd) == 31
    assert open_port(plane, session, 6000) == "DROP_CGNAT_BLOCK_LIMIT"


@pytest.mark.parametrize("protocol", ["tcp", "icmp"])
def test_parity_is_for_udp(plane, protocol):
    session = plane.session("10.0.0.5", max_blocks=1)
    assert {open_port(plane, session, port, protocol) % 2 for port in range(4000, 4040, 2)} == {0, 1}


@pytest.mark.parametrize("flags", [0, abi.POOL_REFRESH_INBOUND])
@pytest.mark.parametrize("protocol, timeout", [("udp", 300), ("icmp", 60)])
def test_rfc4787_req6a_refresh_from_outside_only_if_configured(plane, protocol, timeout, flags):
    plane.pool[0].flags = flags
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    for _ in range(5):
        plane.advance_seconds(timeout - 10)
        alive = reaches(plane, public, session, 4000, protocol)
        if not flags:
            break
        assert alive
    plane.advance_seconds(20)
    assert reaches(plane, public, session, 4000, protocol) == bool(flags)


def test_refresh_from_outside_does_not_reopen_what_has_expired(plane):
    plane.pool[0].flags = abi.POOL_REFRESH_INBOUND
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    plane.advance_seconds(301)
    assert not reaches(plane, public, session, 4000)
    assert not reaches(plane, public, session, 4000)


@pytest.mark.parametrize("rate, burst", [(1, 0), (1, 5), (10, 20), (100, 50)])
def test_rfc6888_req4c_rfc6888_req5b_rate_of_new_mappings(plane, rate, burst):
    """A burst and the one in hand, then so many a second; what is there goes on, others are not concerned."""
    plane.pool_build(shift=9)
    plane.pool[0].mapping_rate, plane.pool[0].mapping_burst = rate, burst
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    ends = {}
    for port in range(1000, 1000 + burst + 1):
        ends[port] = open_port(plane, session, port)
        assert isinstance(ends[port], int)
    for port in range(3000, 3005):
        assert open_port(plane, session, port) == "DROP_CGNAT_RATE_LIMIT"
    assert plane.count("DROP_CGNAT_RATE_LIMIT") == 5 == plane.pool_address[ends[1000] >> 16].limit_hits
    assert {port: open_port(plane, session, port) for port in ends} == ends
    assert isinstance(open_port(plane, other, 1000), int)
    plane.advance_seconds(10)
    made = 0
    while isinstance(open_port(plane, session, 5000 + made), int):
        made += 1
    assert made == min(burst, 10 * rate) + 1


def test_without_a_rate_there_is_no_limit(plane):
    plane.pool_build(shift=12)
    session = plane.session("10.0.0.5")
    assert all(isinstance(open_port(plane, session, port), int) for port in range(1000, 2000))


def test_rfc6888_req5b_reply_from_outside_costs_no_token(plane):
    plane.pool[0].mapping_rate, plane.pool[0].mapping_burst = 1, 0
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    for _ in range(5):
        assert plane.core(frames.down(PUBLIC[0], frames.udp(53, public & 0xffff), remote=REMOTE)).verdict == "FORWARD_DOWN"
    assert open_port(plane, session, 4000) == public
