# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# PCP in the data plane: which requests are handed to controld and how many, and
# leases: mappings that stay until their deadline, which bng_sweep ends with nobody
# else there.
import ctypes
import struct

import pytest
from scapy.layers.inet import UDP
from scapy.packet import Raw

import abi
import frames
import invariants
import plane as planes
from plane import ACC1, GATEWAY
from test_cgnat_mapping import fill, open_port, reaches
from test_cgnat_pin import ask, pinned

PORT = 5351
RATE, BURST = 10, 20  # of one subscriber
YEAR = 365 * 86400


def request(session, data=bytes(60), port=PORT, remote=GATEWAY, **ip):
    return frames.up(session, UDP(sport=40000, dport=port) / Raw(data), remote=remote, **ip)


@pytest.fixture
def session(plane):
    plane.pool[0].flags = abi.POOL_PCP
    return plane.session("10.0.0.5")


# ---- requests -------------------------------------------------------------------

def test_rfc6887_request_to_the_gateway_is_handed_over_whole(plane, session):
    frame = request(session)
    result = plane.access(frame)
    header = abi.bng_punt.from_buffer_copy(result.frame)
    assert (result.verdict, result.action) == ("PUNT_PCP", abi.XDP_REDIRECT)
    assert (header.reason, header.slot, header.interface) == (abi.PUNT_REASON_PCP, session.slot, ACC1)
    assert result.frame[ctypes.sizeof(abi.bng_punt):] == frame


def test_rfc6887_only_the_gateway_address_and_port_are_the_server(plane, session):
    assert plane.access(request(session, port=PORT + 1)).verdict == "DROP_GATEWAY"
    assert plane.access(request(session, remote=planes.REMOTE)).verdict == "FORWARD_UP"
    assert plane.access(request(session, remote="10.0.0.99")).verdict == "DROP_HAIRPIN"
    tcp = frames.up(session, frames.tcp(40000, PORT), remote=GATEWAY)
    assert plane.access(tcp).verdict == "DROP_GATEWAY"


def test_a_pool_without_pcp_has_no_server(plane, session):
    plane.pool[0].flags = 0
    assert plane.access(request(session)).verdict == "DROP_GATEWAY"


def test_rfc6887_nobody_asks_in_anothers_name(plane, session):
    thief = planes.Session(plane, session.slot, session.address, "02:99:00:00:00:01", ACC1)
    assert plane.access(request(thief)).verdict == "DROP_SPOOF_MAC"
    stranger = planes.Session(plane, 0, "10.0.3.7", "02:99:00:00:00:01", ACC1)
    assert plane.access(request(stranger)).verdict == "DROP_NO_SESSION"


def test_one_subscriber_takes_nothing_from_the_others(plane, session):
    other = plane.session("10.0.0.6")
    verdicts = [plane.first_token(session.record, "punt_due_ns", lambda: plane.access(request(session))).verdict]
    verdicts += [plane.access(request(session)).verdict for _ in range(2 * BURST)]
    assert verdicts.count("PUNT_PCP") == BURST + 1 == verdicts.index("DROP_PUNT_SUBSCRIBER")
    assert plane.access(request(other)).verdict == "PUNT_PCP"
    plane.advance_seconds(1 + BURST / RATE)
    assert plane.access(request(session)).verdict == "PUNT_PCP"


def test_all_subscribers_together_have_a_limit(plane, session):
    limit = plane.punt_limit[abi.PUNT_REASON_PCP]
    limit.rate, limit.burst = 1, 1
    other = plane.session("10.0.0.6")
    plane.first_token(limit, "due_ns", lambda: plane.access(request(session)))
    assert plane.access(request(session)).verdict == "PUNT_PCP"
    assert plane.access(request(other)).verdict == "DROP_PUNT_LIMIT"


# ---- leases ---------------------------------------------------------------------

def lease(plane, session, port, seconds=600, index=1, protocol=abi.PROTOCOL_UDP):
    """The record, as controld writes it before it asks."""
    record = plane.pcp[index]
    record.session_id, record.slot, record.generation = session.record.session_id, session.slot, session.record.generation
    record.protocol, record.port, record.answer = protocol, 0, 0
    record.inner_port_be = int.from_bytes(struct.pack(">H", port), "little")
    record.life = (plane.tick + abi.ticks(seconds) & 0xffffffff) << 32 | abi.PCP_ACTIVE
    plane.meta.pcp_high = max(plane.meta.pcp_high, index + 1)
    return record


def pin(plane, session, port, index=1, public=0, protocol=abi.PROTOCOL_UDP, cut=0):
    header = abi.bng_punt(version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_PIN, slot=session.slot)
    header.ethertype_be = int.from_bytes(struct.pack(">H", abi.PUNT_ETHERTYPE), "little")
    wanted = abi.bng_pin_lease(record=index)
    wanted.pin.session_id, wanted.pin.public_port = session.record.session_id, public
    wanted.pin.protocol, wanted.pin.action = protocol, abi.PIN_LEASE
    wanted.pin.inner_port_be = int.from_bytes(struct.pack(">H", port), "little")
    frame = bytes(header) + bytes(wanted)
    return plane.inject(frame[:len(frame) - cut]).verdict


def leased(plane, session, port, **more):
    record = lease(plane, session, port, **more)
    assert pin(plane, session, port, protocol=more.get("protocol", abi.PROTOCOL_UDP), index=more.get("index", 1)) == \
        "INJECT_PIN"
    assert record.answer == abi.VERDICTS.index("INJECT_PIN")
    return record


def state(record):
    return record.life & 0xff


def test_rfc6887_lease_lasts_until_its_deadline_with_nobody_there(plane, session):
    record = leased(plane, session, 4000, seconds=7200)
    assert plane.mapping_at(record.port).flags & abi.MAPPING_PINNED == abi.MAPPING_PIN_PCP
    for _ in range(7):
        plane.advance_seconds(1000)
        plane.sweep()
        assert state(record) == abi.PCP_ACTIVE and reaches(plane, record.port, session, 4000)
    plane.advance_seconds(201)
    plane.sweep()
    assert state(record) == abi.PCP_EXPIRED
    assert not reaches(plane, record.port, session, 4000)  # nobody inside has ever used it
    invariants.check(plane)


def test_rfc6887_lease_that_is_used_ends_as_any_mapping_does(plane, session):
    record = leased(plane, session, 4000, seconds=600)
    plane.advance_seconds(500)
    assert open_port(plane, session, 4000) == record.port
    plane.advance_seconds(102)
    plane.sweep()
    assert state(record) == abi.PCP_EXPIRED and not plane.mapping_at(record.port).flags & abi.MAPPING_PINNED
    assert reaches(plane, record.port, session, 4000)
    plane.advance_seconds(198 + 2)
    assert not reaches(plane, record.port, session, 4000)


def test_rfc6887_lease_ends_no_connection(plane, session):
    record = leased(plane, session, 22, seconds=600, protocol=abi.PROTOCOL_TCP)
    syn = frames.down(planes.PUBLIC[record.port >> 16], frames.tcp(999, record.port & 0xffff, flags="S"))
    assert plane.core(syn).verdict == "FORWARD_DOWN"
    assert open_port(plane, session, 22, "tcp", flags="SA") == record.port
    assert plane.core(frames.down(planes.PUBLIC[record.port >> 16], frames.tcp(999, record.port & 0xffff, flags="A"))).verdict \
        == "FORWARD_DOWN"
    plane.advance_seconds(602)
    plane.sweep()
    assert state(record) == abi.PCP_EXPIRED and plane.mapping_state(record.port) == abi.MAPPING_TCP_ESTABLISHED
    plane.advance_seconds(7440 - 602 - 5)
    assert reaches(plane, record.port, session, 22, "tcp")


def test_rfc6887_s11_3_open_mapping_is_leased_where_it_is(plane, session):
    public = open_port(plane, session, 4000)
    record = leased(plane, session, 4000)
    assert record.port == public and session.record.mappings == 1
    plane.advance_seconds(601)  # its own timer has long run out
    plane.sweep()
    assert state(record) == abi.PCP_EXPIRED and not reaches(plane, public, session, 4000)


def test_deadline_that_controld_moves_in_time_counts(plane, session):
    record = leased(plane, session, 4000, seconds=600)
    plane.advance_seconds(599)
    record.life = (plane.tick + abi.ticks(600) & 0xffffffff) << 32 | abi.PCP_ACTIVE
    plane.advance_seconds(599)
    plane.sweep()
    assert state(record) == abi.PCP_ACTIVE and reaches(plane, record.port, session, 4000)


def test_deadlines_hold_across_the_wrap_of_the_tick(plane, session):
    record = leased(plane, session, 4000, seconds=3600)
    to_wrap = (1 << 32) - plane.tick
    plane.advance(to_wrap - abi.ticks(1800))
    record.life = (plane.tick + abi.ticks(3600) & 0xffffffff) << 32 | abi.PCP_ACTIVE
    plane.advance_seconds(3599)
    plane.sweep()
    assert state(record) == abi.PCP_ACTIVE
    plane.advance_seconds(2)
    plane.sweep()
    assert state(record) == abi.PCP_EXPIRED


def test_every_record_is_looked_at_in_each_run(plane, session):
    session.record.max_mappings = 1000
    records = [leased(plane, session, 4000 + index, index=index) for index in range(1, planes.LEASES)]
    plane.advance_seconds(601)
    plane.sweep()
    assert {state(record) for record in records} == {abi.PCP_EXPIRED} and pinned(plane, session) == {}


def test_lease_takes_nothing_from_a_port_forwarding(plane, session):
    assert ask(plane, session, 4000) == "INJECT_PIN"
    record = leased(plane, session, 4000)
    assert plane.mapping_at(record.port).flags & abi.MAPPING_PINNED == abi.MAPPING_PIN_RPC
    plane.advance_seconds(601)
    plane.sweep()
    plane.advance_seconds(YEAR)
    assert state(record) == abi.PCP_EXPIRED and reaches(plane, record.port, session, 4000)


def test_port_forwarding_outlives_the_lease_it_took_over(plane, session):
    record = leased(plane, session, 4000)
    assert ask(plane, session, 4000, flags=1) == "INJECT_PIN"
    plane.advance_seconds(601)
    plane.sweep()
    assert plane.mapping_at(record.port).flags & abi.MAPPING_PINNED == abi.MAPPING_PIN_CONFIG


def test_end_of_a_lease_is_for_leases_only(plane, session):
    record = leased(plane, session, 4000)
    assert ask(plane, session, 4000, action=abi.PIN_CLEAR) == "INJECT_PIN"
    assert pinned(plane, session) == {4000: record.port}
    assert ask(plane, session, 4000, action=abi.PIN_LEASE_END) == "INJECT_PIN"
    assert pinned(plane, session) == {} and not reaches(plane, record.port, session, 4000)
    assert ask(plane, session, 4001) == "INJECT_PIN"
    assert ask(plane, session, 4001, action=abi.PIN_LEASE_END) == "INJECT_PIN"
    assert list(pinned(plane, session)) == [4001]


def test_refusals_are_written_down(plane, session):
    other = plane.session("10.0.0.6")
    assert ask(plane, other, 1, public=6400) == "INJECT_PIN"
    record = lease(plane, session, 4000)
    assert pin(plane, session, 4000, public=6401) == "DROP_CGNAT_PORT_TAKEN"
    assert (abi.VERDICTS[record.answer], record.port) == ("DROP_CGNAT_PORT_TAKEN", 0)
    assert pin(plane, session, 4000) == "INJECT_PIN"
    session.record.max_mappings = 1
    record = lease(plane, session, 4001, index=2)
    assert pin(plane, session, 4001, index=2) == "DROP_CGNAT_MAPPING_LIMIT"
    assert abi.VERDICTS[record.answer] == "DROP_CGNAT_MAPPING_LIMIT"


@pytest.mark.parametrize("spoil", [
    lambda plane, record: setattr(record, "session_id", 999), lambda plane, record: setattr(record, "slot", 999),
    lambda plane, record: setattr(record, "protocol", abi.PROTOCOL_TCP),
    lambda plane, record: setattr(record, "life", 0),
    lambda plane, record: setattr(record, "life", record.life & ~0xff | abi.PCP_EXPIRED),
    lambda plane, record: plane.advance_seconds(601),
], ids=["session", "slot", "protocol", "free", "expired", "deadline"])
def test_without_its_record_there_is_no_lease(plane, session, spoil):
    record = lease(plane, session, 4000)
    spoil(plane, record)
    assert pin(plane, session, 4000) == "DROP_INJECT"
    assert session.blocks == [] and record.answer == 0


@pytest.mark.parametrize("wrong", [{"index": 0}, {"index": planes.LEASES}, {"index": 2}, {"public": 80}, {"cut": 1}, {"cut": 8}])
def test_lease_that_makes_no_sense_does_nothing(plane, session, wrong):
    lease(plane, session, 4000)
    assert pin(plane, session, 4000, **wrong) == "DROP_INJECT"
    assert session.blocks == []


def test_stale_record_ends_nothing_of_the_next_session(plane, session):
    record = leased(plane, session, 4000)
    plane.close_session(session)
    for _ in range(3):
        plane.advance(3)
        plane.sweep()
    plane.advance_seconds(planes.HOLD_DOWN + 1)
    for _ in range(3):
        plane.sweep()
    plane.blocks_offer(record.port >> 16, [(record.port & 0xffff) >> 6])
    following = plane.session("10.0.0.7")
    new = lease(plane, following, 4000, index=2, seconds=3600)
    assert pin(plane, following, 4000, index=2, public=record.port & 0xffff) == "INJECT_PIN"
    assert new.port == record.port
    plane.advance_seconds(700)
    plane.sweep()
    assert state(record) == abi.PCP_EXPIRED and state(new) == abi.PCP_ACTIVE
    assert reaches(plane, new.port, following, 4000)


def test_sweep_leaves_leased_mappings_and_their_blocks(plane, session):
    record = leased(plane, session, 4000, seconds=YEAR)
    ends = fill(plane, session, range(5000, 5010))
    plane.advance_seconds(1000)
    for _ in range(3):
        plane.sweep()
    assert session.record.mappings == 1 and session.blocks == [record.port & ~63]
    assert not any(reaches(plane, end, session, port) for port, end in ends.items())
    assert reaches(plane, record.port, session, 4000)
