# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# FTP control connections on the packet path: what goes to controld, byte for byte, and
# sequence numbers that stay right after a command has changed its length.
import ctypes
import random
import struct

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC1, ACC2, CORE, PUBLIC, REMOTE, be32
from test_cgnat_mapping import open_port
from test_packet_forward import ENCAPSULATIONS
from test_packet_hold import hand_back, punted

PORT = b"PORT 10,0,0,5,156,65\r\n"
REWRITTEN = b"PORT 203,0,113,0,156,65\r\n"
GROWN = len(REWRITTEN) - len(PORT)
ISN = 0xfffffff0  # numbers wrap in the middle of a test
tagged = pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)


@pytest.fixture
def ftp(plane):
    """The pool looks after FTP; a subscriber."""
    plane.pool[0].flags = abi.POOL_ALG_FTP
    plane.maps["alg"].clear(12)
    session = plane.session("10.0.0.5")
    session.control = open_port(plane, session, 4000, "tcp", dport=21)
    return session


def up(session, data=b"", sequence=ISN, flags="PA", port=4000, dport=21, ack=100, **fields):
    tcp = TCP(sport=port, dport=dport, flags=flags, seq=sequence & 0xffffffff, ack=ack, **fields)
    return frames.up(session, tcp / Raw(data))


def down(session, ack, data=b"200 OK\r\n", sport=21, flags="PA"):
    tcp = TCP(sport=sport, dport=session.control & 0xffff, flags=flags, seq=100, ack=ack & 0xffffffff)
    return frames.down(PUBLIC[0], tcp / Raw(data))


def key_of(session, remote=REMOTE):
    return struct.pack("=II", be32(PUBLIC[session.control >> 16]), be32(remote)) + \
        struct.pack("!H", session.control & 0xffff) + b"\0\0"


def entry_of(session):
    raw = session.plane.maps["alg"].lookup(key_of(session))
    return abi.bng_alg.from_buffer_copy(raw) if raw else None


def entry_set(session, **fields):
    entry = entry_of(session) or abi.bng_alg(session_id=session.record.session_id,
                                             inner_port_be=struct.unpack("=H", struct.pack("!H", 4000))[0])
    for name, value in fields.items():
        setattr(entry, name, value)
    session.plane.maps["alg"].update(key_of(session), bytes(entry))


def sent(result, verdict="FORWARD_UP"):
    """The TCP header that left, its checksums being right."""
    assert result.verdict == verdict
    assert frames.checksums_are_right(result.frame)
    return Ether(result.frame)[TCP]


# ---- what goes to controld -----------------------------------------------------------

@pytest.mark.parametrize("data", [PORT, b"port 1", b"EPRT |1|10.0.0.5|40001|\r\n", b"ePrT "], ids=str)
def test_a_command_with_an_address_goes_to_controld_as_it_came(plane, ftp, data):
    frame = up(ftp, data)
    result = plane.access(frame)
    assert result.verdict == "PUNT_FTP"
    punted(result, frame, abi.PUNT_REASON_FTP, ACC1, ftp.slot)
    entry = entry_of(ftp)
    assert (entry.session_id, entry.position, entry.before, entry.after, entry.flags) == \
        (ftp.record.session_id, ISN, 0, 0, abi.ALG_PENDING)
    assert ftp.record.up_packets == 1  # the one that opened the mapping


@pytest.mark.parametrize("data", [b"", b"PORT", b"PORTA 1", b"PASV\r\n", b"USER PORT \r\n", b"EPSV\r\n", b"\0ORT "], ids=str)
def test_everything_else_is_forwarded(plane, ftp, data):
    assert plane.access(up(ftp, data)).frame == frames.expected_up(up(ftp, data), frames.endpoint(ftp.control))
    assert entry_of(ftp) is None


@pytest.mark.parametrize("what", ["pool", "port", "udp", "fragment"])
def test_only_control_connections_of_such_a_pool_are_looked_at(plane, ftp, what):
    frame = up(ftp, PORT, dport=2121 if what == "port" else 21)
    if what == "pool":
        plane.pool[0].flags = 0
    if what == "udp":
        frame = frames.up(ftp, frames.udp(4000, 21, data=PORT))
    if what == "fragment":
        frame = frames.up(ftp, TCP(sport=4000, dport=21, flags="PA") / Raw(PORT), flags="MF")
    assert plane.access(frame).verdict == "FORWARD_UP"
    assert entry_of(ftp) is None


def test_too_many_commands_are_dropped_and_sent_again(plane, ftp):
    limit = plane.punt_limit[abi.PUNT_REASON_FTP]
    limit.rate, limit.burst = 1, 1
    verdicts = [plane.first_token(limit, "due_ns", lambda: plane.access(up(ftp, PORT))).verdict]
    verdicts += [plane.access(up(ftp, PORT)).verdict for _ in range(3)]
    assert verdicts == ["PUNT_FTP"] * 2 + ["DROP_PUNT_LIMIT"] * 2


def test_a_full_table_means_that_commands_go_out_as_they_are(plane, ftp):
    for number in range(abi.ALG_ENTRIES):
        plane.maps["alg"].update(struct.pack("=III", 1, number, 1), bytes(32))
    result = plane.access(up(ftp, PORT))
    assert result.verdict == "FORWARD_ALG_PLAIN"
    assert result.frame == frames.expected_up(up(ftp, PORT), frames.endpoint(ftp.control))
    plane.maps["alg"].clear(12)
    assert plane.access(up(ftp, PORT)).verdict == "PUNT_FTP"


# ---- while controld has it -------------------------------------------------------------

def test_what_comes_behind_a_command_waits(plane, ftp):
    assert plane.access(up(ftp, PORT)).verdict == "PUNT_FTP"
    behind = ISN + len(PORT)
    for flags in ("A", "PA", "FA"):
        assert plane.access(up(ftp, b"", behind, flags)).verdict == "DROP_ALG_WAIT"
    assert plane.access(up(ftp, b"RETR x\r\n", behind)).verdict == "DROP_ALG_WAIT"
    assert plane.access(up(ftp, PORT, behind)).verdict == "DROP_ALG_WAIT"
    assert plane.access(up(ftp, PORT)).verdict == "PUNT_FTP"  # again: controld may have died with it
    assert plane.access(up(ftp, b"SYST\r\n", ISN - 6)).verdict == "FORWARD_UP"
    assert plane.access(up(ftp, b"", behind, "R")).verdict == "FORWARD_UP"
    assert entry_of(ftp).position == ISN and ftp.record.drop_packets == 5


def test_a_new_connection_forgets_the_old_one(plane, ftp):
    entry_set(ftp, position=5, before=3, after=7, flags=abi.ALG_PENDING)
    assert sent(plane.access(up(ftp, sequence=1000, flags="S"))).seq == 1000
    assert entry_of(ftp) is None
    assert sent(plane.access(up(ftp, b"NOOP\r\n", 1001))).seq == 1001


def test_the_entry_of_another_session_is_not_believed(plane, ftp):
    for other in ({"session_id": 999}, {"inner_port_be": 1}):
        entry_set(ftp, position=5, before=3, after=7, **other)
        assert sent(plane.access(up(ftp, b"NOOP\r\n", 1000))).seq == 1000
        assert entry_of(ftp) is None


# ---- sequence numbers --------------------------------------------------------------------

@tagged
def test_numbers_are_right_on_both_sides_after_a_command_that_grew(plane, tags):
    plane.pool[0].flags = abi.POOL_ALG_FTP
    plane.maps["alg"].clear(12)
    session = plane.session("10.0.0.5", tags=tags, interface=ACC2)
    session.control = open_port(plane, session, 4000, "tcp", dport=21)
    assert plane.access(up(session, PORT), ACC2).verdict == "PUNT_FTP"
    entry_set(session, after=GROWN, flags=0)
    back = up(session, REWRITTEN)
    result = hand_back(plane, back, abi.PUNT_REASON_FTP, ACC2)
    assert result.frame == frames.expected_up(back, frames.endpoint(session.control))
    assert sent(result).seq == ISN and bytes(Ether(result.frame)[TCP].payload) == REWRITTEN
    behind = ISN + len(PORT)
    assert sent(plane.access(up(session, b"RETR\r\n", behind), ACC2)).seq == ISN + len(REWRITTEN) & 0xffffffff
    for acknowledged, inside in ((ISN, ISN), (ISN + len(REWRITTEN), behind), (ISN + len(REWRITTEN) + 6, behind + 6)):
        result = plane.core(down(session, acknowledged))
        header = Ether(result.frame)[TCP]
        assert (result.verdict, header.ack, header.seq) == ("FORWARD_DOWN", inside & 0xffffffff, 100)
        assert frames.checksums_are_right(result.frame)


def test_many_commands_on_one_connection(plane, ftp):
    """A stream of commands, some growing, some shrinking, against a model: what the server gets is without holes."""
    chance = random.Random(21)
    inside, outside = ISN, ISN
    for _ in range(200):
        if chance.random() < 0.5:
            grown = chance.randrange(-6, 7)
            data = PORT + b"x" * chance.randrange(8)
            assert plane.access(up(ftp, data, inside)).verdict == "PUNT_FTP"
            entry = entry_of(ftp)
            entry_set(ftp, after=entry.before + grown, flags=0)
            text = (data + bytes(7))[:len(data) + grown]
            assert sent(hand_back(plane, up(ftp, text, inside), abi.PUNT_REASON_FTP, ACC1)).seq == outside & 0xffffffff
            before = (inside, outside)
            inside, outside = inside + len(data), outside + len(text)
        else:
            data = bytes(chance.randrange(1, 300))
            assert sent(plane.access(up(ftp, data, inside))).seq == outside & 0xffffffff
            before = (inside, outside)
            inside, outside = inside + len(data), outside + len(data)
        assert Ether(plane.core(down(ftp, outside)).frame)[TCP].ack == inside & 0xffffffff
        if data[:4] != PORT[:4]:  # sent again, its answer was lost
            assert sent(plane.access(up(ftp, data, before[0]))).seq == before[1] & 0xffffffff


def test_a_command_sent_again_goes_to_controld_again_and_changes_nothing(plane, ftp):
    plane.access(up(ftp, PORT))
    entry_set(ftp, after=GROWN, flags=0)
    before = bytes(entry_of(ftp))
    result = plane.access(up(ftp, PORT))
    punted(result, up(ftp, PORT), abi.PUNT_REASON_FTP, ACC1, ftp.slot)
    assert bytes(entry_of(ftp)) == before
    later = up(ftp, PORT, ISN + len(PORT))
    assert plane.access(later).verdict == "PUNT_FTP"
    entry = entry_of(ftp)
    assert (entry.position, entry.before, entry.after, entry.flags) == \
        (ISN + len(PORT) & 0xffffffff, GROWN, GROWN, abi.ALG_PENDING)
    assert sent(plane.access(up(ftp, PORT))).seq == ISN + GROWN & 0xffffffff  # long since there: nobody reads it


@pytest.mark.parametrize("flags", ["R", "S"])
def test_what_acknowledges_nothing_is_left_alone(plane, ftp, flags):
    entry_set(ftp, position=50, before=3, after=7)
    frame = down(ftp, 60, b"", flags=flags)
    assert plane.core(frame).frame == frames.expected_down(frame, ftp, 4000)


def test_other_ports_of_the_same_server_are_left_alone(plane, ftp):
    entry_set(ftp, position=50, before=3, after=7)
    frame = down(ftp, 60, sport=2121)
    assert plane.core(frame).frame == frames.expected_down(frame, ftp, 4000)


def test_a_packet_too_large_for_the_subscriber_is_told(plane, ftp):
    plane.interface[ftp.interface].mtu = 600
    tcp = TCP(sport=21, dport=ftp.control & 0xffff, flags="A", ack=5) / Raw(bytes(800))
    result = plane.core(frames.down(PUBLIC[0], tcp, flags="DF"))
    assert (result.verdict, result.action) == ("DROP_MTU", abi.XDP_TX)


# ---- selective acknowledgements ------------------------------------------------------------

SACK = ("SAckOK", b"")


@pytest.mark.parametrize("options", [
    [SACK], [("MSS", 1460), SACK, ("Timestamp", (1, 2)), ("NOP", None), ("WScale", 7)], [("NOP", None), SACK],
    [("NOP", None), ("WScale", 3), SACK, ("NOP", None)], [("WScale", 3), SACK], [("MSS", 1460), ("NOP", None)],
], ids=str)
def test_the_offer_of_selective_acknowledgements_is_taken_out(plane, ftp, options):
    header = sent(plane.access(up(ftp, flags="S", options=options)))
    left = [option for option in header.options if option[0] not in ("NOP", "EOL")]
    assert left == [option for option in options if option[0] not in ("NOP", "SAckOK")]


def test_other_connections_keep_theirs(plane, ftp):
    header = sent(plane.access(up(ftp, flags="S", dport=22, options=[SACK])))
    assert header.options[0][0] == "SAckOK"


# ---- handed back ----------------------------------------------------------------------------

def test_what_was_not_rewritten_is_counted_as_such(plane, ftp):
    plane.access(up(ftp, PORT))
    entry_set(ftp, flags=0)
    result = hand_back(plane, up(ftp, PORT), abi.PUNT_REASON_FTP, ACC1, abi.PUNT_REFUSED)
    assert result.frame == frames.expected_up(up(ftp, PORT), frames.endpoint(ftp.control))
    assert result.verdict == "FORWARD_ALG_PLAIN"


def test_antispoof_holds_for_commands(plane, ftp):
    frame = up(ftp, PORT)
    spoofed = frame[:11] + bytes([frame[11] ^ 1]) + frame[12:]
    assert hand_back(plane, spoofed, abi.PUNT_REASON_FTP, ACC1).verdict == "DROP_SPOOF_MAC"
    assert hand_back(plane, frame, abi.PUNT_REASON_FTP, ACC2).verdict == "DROP_SPOOF_INTERFACE"
    assert hand_back(plane, frame, abi.PUNT_REASON_FTP, CORE).verdict == "DROP_SPOOF_INTERFACE"
    away = frames.up(ftp, TCP(sport=4000, dport=21, flags="PA") / Raw(PORT), remote=PUBLIC[0])
    assert hand_back(plane, away, abi.PUNT_REASON_FTP, ACC1).verdict == "DROP_INJECT"


def test_handed_back_without_a_mapping_is_sent_again(plane, ftp):
    plane.advance_seconds(300)
    assert hand_back(plane, up(ftp, PORT, port=4001), abi.PUNT_REASON_FTP, ACC1).verdict == "DROP_CGNAT_BUSY"


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_commands_cut_anywhere(plane, ftp, length):
    frame = up(ftp, PORT)[:14 + length]
    assert hand_back(plane, frame, abi.PUNT_REASON_FTP, ACC1).verdict in ("DROP_SHORT", "DROP_INJECT")
    assert plane.access(frame).verdict == "DROP_SHORT"


@pytest.mark.parametrize("doff", [0, 4, 15])
def test_a_tcp_header_longer_or_shorter_than_the_packet(plane, ftp, doff):
    frame = up(ftp, b"PORT ", dataofs=doff)
    assert plane.access(frame).verdict == "DROP_SHORT"
    assert entry_of(ftp) is None


# ---- the data connection ----------------------------------------------------------------------

def expect(plane, session, port, remote=REMOTE, **fields):
    header = abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_EXPECT, slot=session.slot)
    values = {"session_id": session.record.session_id, "remote_be": be32(remote),
              "inner_port_be": struct.unpack("=H", struct.pack("!H", port))[0], **fields}
    return plane.inject(bytes(header) + bytes(abi.bng_expect(**values)))


def data_syn(public, remote=REMOTE, sport=20):
    return frames.down(PUBLIC[public >> 16], frames.tcp(sport, public & 0xffff), remote=remote)


def public_of(plane, session, port):
    """Where the inner port is mapped to, looking at the table only."""
    wanted = struct.unpack("=H", struct.pack("!H", port))[0]
    (found,) = [public for first in session.blocks for public in range(first, first + 64)
                if plane.mapping_at(public).inner_port_be == wanted and plane.mapping_at(public).kind & 15 == abi.PROTOCOL_TCP]
    return found


@pytest.mark.parametrize("filtering, who", [
    (0, {(REMOTE, 20), (REMOTE, 999), ("192.0.2.9", 20)}),
    (abi.POOL_FILTER_ADDRESS, {(REMOTE, 20), (REMOTE, 999)}),
    (abi.POOL_FILTER_PORT, {(REMOTE, 20)}),
])
def test_the_server_may_open_the_data_connection(plane, ftp, filtering, who):
    plane.pool[0].flags |= filtering
    result = expect(plane, ftp, 40001)
    assert (result.verdict, result.action) == ("INJECT_EXPECT", abi.XDP_DROP)
    public = public_of(plane, ftp, 40001)
    assert plane.mapping_state(public) == abi.MAPPING_TCP_PARTIAL
    for remote, sport in ((REMOTE, 20), (REMOTE, 999), ("192.0.2.9", 20)):
        result = plane.core(data_syn(public, remote, sport))
        assert result.verdict == ("FORWARD_DOWN" if (remote, sport) in who else "DROP_CGNAT_FILTER"), (remote, sport)


def test_what_is_expected_ends_by_its_timer(plane, ftp):
    expect(plane, ftp, 40001)
    public = public_of(plane, ftp, 40001)
    plane.advance_seconds(239)
    assert expect(plane, ftp, 40001).verdict == "INJECT_EXPECT"  # once more: its time begins anew
    assert public_of(plane, ftp, 40001) == public
    plane.advance_seconds(239)
    assert plane.core(data_syn(public)).verdict == "FORWARD_DOWN"
    plane.advance_seconds(7441)
    assert plane.core(data_syn(public)).verdict == "DROP_CGNAT_NO_MAPPING"


def test_limits_hold_for_data_connections(plane, ftp):
    ftp.record.max_mappings = ftp.record.mappings
    assert expect(plane, ftp, 40001).verdict == "DROP_CGNAT_MAPPING_LIMIT"
    assert ftp.record.lock == 0


@pytest.mark.parametrize("fields", [{"session_id": 999}, {"session_id": 0}])
def test_a_request_for_a_session_that_is_gone_does_nothing(plane, ftp, fields):
    mappings = ftp.record.mappings
    assert expect(plane, ftp, 40001, **fields).verdict == "DROP_NO_SESSION"
    assert ftp.record.mappings == mappings


def test_truncated_requests_are_malformed(plane, ftp):
    header = abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_EXPECT, slot=ftp.slot)
    for length in range(0, ctypes.sizeof(abi.bng_expect)):
        assert plane.inject(bytes(header) + bytes(length)).verdict == "DROP_INJECT"


def test_rfc4787_req10_rfc5382_req6_off_by_default_nothing_is_touched(plane):
    session = plane.session("10.0.0.5")
    frame = up(session, PORT, options=[SACK], flags="S")
    result = plane.access(frame)
    assert result.frame == frames.expected_up(frame, frames.endpoint(frames.public_end(result)))
    frame = up(session, PORT)
    assert plane.access(frame).frame == frames.expected_up(frame, frames.endpoint(frames.public_end(result)))
    assert IP in Ether(frame)
