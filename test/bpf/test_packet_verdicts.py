# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Every verdict that a packet can end in: a packet in, the verdict, its action,
# and (by Plane.run) its counter moved by exactly one packet and the frame's
# bytes, no other counter by anything.
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

import abi
import frames
import plane as planes
import rows_pppoe
from plane import ACC1, ACC2, CORE, GATEWAY, HOST, PUBLIC, be32
from rows import ADDRESS, BROADCAST, access, after, changed, core, cut, frame_of, from_core, from_subscriber, inject, patched
from test_packet_first import from_stranger, may_come_up


def mapped(then=None):
    """A mapping exists; the frame is an answer to it."""
    def build(plane, session):
        public = frames.public_end(plane.access(frames.up(session, frames.udp(4000))))
        if then:
            then(plane, session, public)
        return frames.down(PUBLIC[public >> 16], frames.udp(53, public & 0xffff))
    return build


def arp(operation=1, target=GATEWAY, **fields):
    return frame_of(ARP(op=operation, pdst=target, **fields))


def dhcp_discover(plane, session):
    return bytes(Ether(src=session.mac, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255") /
                 UDP(sport=68, dport=67) / Raw(b"\x01" * 240))


def arp_cut(length):
    return cut(arp(), length)


def punt_limit_reached(plane, session):
    plane.punt_limit[abi.PUNT_REASON_DHCP4].rate, plane.punt_limit[abi.PUNT_REASON_DHCP4].burst = 10, 1
    limit = plane.punt_limit[abi.PUNT_REASON_DHCP4]
    plane.first_token(limit, "due_ns", lambda: plane.access(dhcp_discover(plane, session)))
    assert plane.access(dhcp_discover(plane, session)).verdict == "PUNT_DHCP4"


def pcp_offered(plane, session):
    plane.pool[0].flags = abi.POOL_PCP


def pcp_request(plane, session):
    return frames.up(session, UDP(sport=40000, dport=5351) / Raw(bytes(24)), remote=GATEWAY)


def pcp_asked_too_often(plane, session):
    pcp_offered(plane, session)
    plane.first_token(session.record, "punt_due_ns", lambda: plane.access(pcp_request(plane, session)))
    while plane.access(pcp_request(plane, session)).verdict == "PUNT_PCP":
        pass


def bad_injection(**fields):
    header = {"ethertype_be": 0xb588, "version": abi.PUNT_VERSION, "reason": abi.PUNT_REASON_INJECT, "interface": ACC1}
    return lambda plane, session: bytes(abi.bng_punt(**{**header, **fields})) + bytes(60)


def handed_back(reason, build, interface=ACC1, flags=0):
    """controld gives back what it held."""
    def run(plane, session):
        return bytes(abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=reason, interface=interface,
                                  flags=flags)) + build(plane, session)
    return run


def hold_limit_reached(plane, session):
    limit = plane.punt_limit[abi.PUNT_REASON_FRAGMENT_UP]
    limit.rate, limit.burst = 1, 1
    frame = frames.up(session, frames.udp(4000), frag=1)
    plane.first_token(limit, "due_ns", lambda: plane.access(frame))
    assert plane.access(frame).verdict == "PUNT_FRAGMENT"


def syn_mapped(plane, session):
    public = frames.public_end(plane.access(frames.up(session, frames.tcp(4000))))
    return frames.down(PUBLIC[0], frames.tcp(80, public & 0xffff))


def looks_after_ftp(plane, session):
    plane.pool[0].flags = abi.POOL_ALG_FTP
    plane.maps["alg"].clear(12)


def ftp_command(plane, session):
    return frames.up(session, TCP(sport=4000, dport=21, flags="PA", seq=1) / Raw(b"PORT 10,0,0,5,4,5\r\n"))


def without_tcp(plane, session):
    plane.access(frames.up(session, TCP(sport=4000, dport=21, flags="S")))


def command_taken(plane, session):
    assert plane.access(ftp_command(plane, session)).verdict == "PUNT_FTP"


def expect_request(plane, session):
    header = abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_EXPECT, slot=session.slot)
    return bytes(header) + bytes(abi.bng_expect(session_id=session.record.session_id, inner_port_be=22))


def pin_request(**fields):
    """controld asks for a port forwarding."""
    def build(plane, session):
        header = abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_PIN, slot=session.slot)
        pin = {"session_id": session.record.session_id, "protocol": abi.PROTOCOL_UDP, "action": abi.PIN_SET,
               "inner_port_be": 22, **fields}
        return bytes(header) + bytes(abi.bng_pin(**pin))
    return build


def errors_used_up(plane, session):
    plane.meta.icmp_error_rate = 1
    frame = frames.up(session, frames.udp(4000), ttl=1)
    plane.first_token(plane.meta, "icmp_error_due_ns", lambda: plane.access(frame))
    assert plane.access(frame).verdict == "ANSWER_TTL"


def rate_of_one_byte(plane, session, _=None):
    session.record.flags |= abi.SUBSCRIBER_RATE
    for rate in (session.record.rate_up, session.record.rate_down):
        rate.limit = 1_000_000 << abi.RATE_SHIFT | 1 << 32  # a millisecond for a byte, a microsecond at once


def filter_that_denies(plane, session, _=None):
    session.record.flags |= abi.SUBSCRIBER_FILTER
    session.record.filter = abi.FILTER_CLOSED


def forwarding_off(plane, session):
    planes.sysctl("ipv4/conf/acc1/forwarding", 0)


def forwarding_off_core(plane, session):
    planes.sysctl("ipv4/conf/core1/forwarding", 0)


def block_filled(plane, session):
    for port in range(5000, 5064):
        assert plane.access(frames.up(session, frames.udp(port))).verdict == "FORWARD_UP"


def without(*others):
    """Another port of the same session first: `others` mappings are there."""
    def prepare(plane, session):
        for port in others:
            assert plane.access(frames.up(session, frames.udp(port))).verdict == "FORWARD_UP"
    return prepare


def generation_raised(plane, session, public):
    session.record.generation += 1


def session_closing(plane, session, public):
    session.record.state = abi.SUBSCRIBER_CLOSING


def range_beyond_the_map(plane, session):
    plane.range[0].outer[0].base = 1000


def vlan_frame(*tpids):
    def build(plane, session):
        tags = b"".join(struct.pack("!HH", tpid, 100) for tpid in tpids)
        frame = frames.up(session, frames.udp(4000))
        return frame[:12] + tags + frame[12:]
    return build


def mapped_fragment(plane, session):
    frame = mapped()(plane, session)
    fragments_full(plane, session)
    return patched(lambda *_: frame, IP_AT + 6, b"\x20")(plane, session)


def fragments_full(plane, session):
    for entry in plane.fragment:
        entry.until_tick = plane.tick + 100


def flows_full(plane, session):
    """Every entry is a live flow of one mapping of another subscriber."""
    filtered(plane, session)
    other = frames.public_end(plane.access(frames.up(plane.session("10.0.0.77"), frames.udp(4000))))
    (flow,) = [flow for bucket in plane.flow for flow in bucket.entry if flow.port]
    assert flow.port == other
    for bucket in plane.flow:
        for entry in bucket.entry:
            entry.port, entry.remote_be, entry.protocol = flow.port, 1, flow.protocol
            entry.inner_tag, entry.last_tick = flow.inner_tag, flow.last_tick


def filtered(plane, session):
    plane.pool[0].flags = abi.POOL_FILTER_ADDRESS


def from_core_mapped(remote):
    return lambda plane, session: frames.down(PUBLIC[0], frames.udp(53, mapped_port(plane, session)), remote=remote)


def refused_silently(plane, session):
    plane.pool[0].refusal = abi.REFUSAL_SILENT
    plane.blocks_offer(0, [])


def rate_used_up(plane, session):
    plane.pool[0].mapping_rate, plane.pool[0].mapping_burst = 1, 0
    assert plane.access(frames.up(session, frames.udp(3999))).verdict == "FORWARD_UP"


def to_itself(plane, session):
    return frames.up(session, frames.udp(4001, mapped_port(plane, session)), remote=PUBLIC[0])


def error_down(plane, session):
    quoted = IP(src=PUBLIC[0], dst=planes.REMOTE) / frames.udp(mapped_port(plane, session))
    return frames.down(PUBLIC[0], ICMP(type=3, code=3) / quoted)


def error_up(plane, session):
    mapped_port(plane, session)
    return frames.up(session, ICMP(type=3, code=3) / IP(src=planes.REMOTE, dst=ADDRESS) / frames.udp(53, 4000))


IP_AT = 14
TTL_ONE = {"ttl": 1}

GRE = Raw(struct.pack("!HH", 0, 0x0800) + bytes(24))


def tunnel_of_another(plane, session, remote=planes.REMOTE):
    frame = frames.up(plane.session("10.0.0.6"), GRE, remote=remote, proto=47)
    assert plane.access(frame).verdict == "FORWARD_UP"


def tunnels_used_up(plane, session):
    tunnel_of_another(plane, session, "192.0.2.9")
    words = memoryview(plane.tunnel).cast("B").cast("Q")
    (used,) = filter(None, words)
    for place in range(len(words)):
        words[place] = used


ROWS = [
    access("UDP", "FORWARD_UP", from_subscriber()),
    access("TCP without SYN: a connection older than the session", "FORWARD_UP",
           from_subscriber(frames.tcp(4000, flags="A"))),
    access("exempt subscriber", "FORWARD_UP_EXEMPT", from_subscriber(), session={"flags": abi.SUBSCRIBER_EXEMPT}),
    core("answer to a mapping", "FORWARD_DOWN", mapped()),
    core("exempt subscriber", "FORWARD_DOWN_EXEMPT", from_core(ADDRESS), session={"flags": abi.SUBSCRIBER_EXEMPT}),
    access("ARP request", "ANSWER_ARP", arp()),
    access("echo to the gateway", "ANSWER_ECHO", from_subscriber(frames.echo(9), remote=GATEWAY)),
    access("echo to the gateway with TTL 1", "ANSWER_ECHO", from_subscriber(frames.echo(9), remote=GATEWAY, ttl=1)),
    access("TTL 1", "ANSWER_TTL", from_subscriber(ttl=1)),
    access("TTL 0", "ANSWER_TTL", from_subscriber(ttl=0)),
    access("DHCP discover", "PUNT_DHCP4", dhcp_discover),
    access("DHCP renewal by unicast", "PUNT_DHCP4", from_subscriber(UDP(sport=68, dport=67), remote=GATEWAY)),
    access("DHCP renewal of a lease that is gone", "PUNT_DHCP4",
           from_subscriber(UDP(sport=68, dport=67), src="10.0.0.6", remote=GATEWAY)),
    access("DHCP inform by broadcast with an address", "PUNT_DHCP4",
           from_subscriber(UDP(sport=68, dport=67), remote="255.255.255.255")),
    core("to this host", "PASS_LOCAL", from_core(HOST)),
    core("ARP", "PASS_LOCAL", frame_of(ARP())),
    core("IPv6", "PASS_LOCAL", frame_of(IPv6())),
    core("tagged", "PASS_LOCAL", vlan_frame(0x8100)),
    access("next hop unresolved", "PASS_NEIGHBOUR", from_subscriber(remote=planes.UNRESOLVED)),
    inject("from controld", "INJECT", bad_injection()),
    inject("port forwarding", "INJECT_PIN", pin_request()),
    inject("chosen port of a session that may have no block", "DROP_CGNAT_PORT_TAKEN", pin_request(public_port=65535),
           session={"max_blocks": 0}),
    inject("port forwarding of no session", "DROP_NO_SESSION", pin_request(session_id=0)),

    access("cut in the first tag", "DROP_SHORT", cut(vlan_frame(0x8100), 16)),
    access("cut in the second tag", "DROP_SHORT", cut(vlan_frame(0x8100, 0x8100), 21)),
    access("cut in the IP header", "DROP_SHORT", cut(from_subscriber(), IP_AT + 19)),
    access("shorter than its IP length", "DROP_SHORT", cut(from_subscriber(), -1)),
    access("UDP header beyond the IP packet", "DROP_SHORT", from_subscriber(Raw(b"1234567"), proto=17), blamed=True),
    access("TCP header beyond the IP packet", "DROP_SHORT", from_subscriber(Raw(b"x" * 19), proto=6), blamed=True),
    access("ICMP header beyond the IP packet", "DROP_SHORT", from_subscriber(Raw(b"1234567"), proto=1), blamed=True),
    access("ARP cut", "DROP_SHORT", arp_cut(41)),
    core("shorter than its IP length", "DROP_SHORT", cut(from_core(PUBLIC[0]), -1)),
    core("UDP header beyond the IP packet", "DROP_SHORT", from_core(PUBLIC[0], Raw(b"1234567"), proto=17)),
    access("three tags", "DROP_VLAN", vlan_frame(0x88a8, 0x8100, 0x8100)),
    core("three tags", "DROP_VLAN", vlan_frame(0x8100, 0x8100, 0x88a8)),
    access("LLDP", "DROP_ETHERTYPE", frame_of(Raw(bytes(50)), type=0x88cc)),
    access("802.3 length instead of a type", "DROP_ETHERTYPE", frame_of(Raw(bytes(50)), type=50)),
    access("IPv6", "DROP_IPV6", frame_of(IPv6())),
    *rows_pppoe.ROWS,
    access("ARP reply", "DROP_ARP", arp(operation=2)),
    access("ARP for another address", "DROP_ARP", arp(target="10.0.0.77")),
    access("ARP for an interface's other gateway", "DROP_ARP",
           after(lambda plane, session: plane.gateway_add(ACC2, "10.0.9.1"), arp(target="10.0.9.1"))),
    access("ARP for another hardware type", "DROP_ARP", patched(arp(), 14, b"\x00\x06")),
    access("ARP for another protocol", "DROP_ARP", patched(arp(), 16, b"\x08\x06")),
    access("ARP with other lengths", "DROP_ARP", patched(arp(), 18, b"\x08")),
    access("IP version 5", "DROP_IP_HEADER", patched(from_subscriber(), IP_AT, b"\x55")),
    access("IP header of 16 bytes", "DROP_IP_HEADER", patched(from_subscriber(), IP_AT, b"\x44")),
    access("IP length below its header", "DROP_IP_HEADER", patched(from_subscriber(), IP_AT + 2, b"\x00\x13")),
    core("IP version 6 behind 0x800", "DROP_IP_HEADER", patched(from_core(PUBLIC[0]), IP_AT, b"\x65")),
    access("first fragment", "FORWARD_UP", from_subscriber(flags="MF")),
    access("later fragment without its first", "PUNT_FRAGMENT", from_subscriber(frag=1)),
    access("later fragment to a public address without its first", "PUNT_FRAGMENT",
           from_subscriber(remote=PUBLIC[1], frag=1)),
    access("more of them than are punted", "DROP_HOLD_FULL", after(hold_limit_reached, from_subscriber(frag=1)),
           blamed=True),
    inject("later fragment handed back, its first did not come", "DROP_FRAGMENT",
           handed_back(abi.PUNT_REASON_FRAGMENT_UP, from_subscriber(frag=1)), blamed=True),
    inject("later fragment handed back, no room for it", "DROP_HOLD_FULL",
           handed_back(abi.PUNT_REASON_FRAGMENT_UP, from_subscriber(frag=1), flags=abi.PUNT_REFUSED), blamed=True),
    inject("later fragment handed back for an address that is not public", "DROP_NOT_SUBSCRIBER",
           handed_back(abi.PUNT_REASON_FRAGMENT_DOWN, from_core("192.0.2.5", frag=1), interface=CORE)),
    inject("unsolicited SYN handed back", "ANSWER_UNREACHABLE",
           handed_back(abi.PUNT_REASON_SYN, from_core(PUBLIC[0], frames.tcp(4000)), interface=CORE)),
    inject("unsolicited SYN handed back, by now mapped", "INJECT_FORGOTTEN", handed_back(abi.PUNT_REASON_SYN, syn_mapped)),
    inject("unsolicited SYN handed back, from no host", "INJECT_UNANSWERED",
           handed_back(abi.PUNT_REASON_SYN, from_core(PUBLIC[0], frames.tcp(4000), src="224.0.0.1"))),
    access("fragment to the gateway", "DROP_FRAGMENT", from_subscriber(remote=GATEWAY, flags="MF"), blamed=True),
    access("table of fragments full", "DROP_FRAGMENT_FULL", after(fragments_full, from_subscriber(flags="MF")),
           blamed=True),
    core("table of fragments full", "DROP_FRAGMENT_FULL", mapped_fragment),
    access("FTP command in a pool that looks after it", "PUNT_FTP", after(looks_after_ftp, ftp_command)),
    inject("FTP command handed back as it was", "FORWARD_ALG_PLAIN",
           after(looks_after_ftp, handed_back(abi.PUNT_REASON_FTP, after(without_tcp, ftp_command), flags=abi.PUNT_REFUSED)),
           blamed=None),
    access("behind an FTP command that controld has", "DROP_ALG_WAIT",
           after(looks_after_ftp, after(command_taken, from_subscriber(TCP(sport=4000, dport=21, flags="A", seq=9)))),
           blamed=True),
    inject("port for an FTP data connection", "INJECT_EXPECT", expect_request),
    core("later fragment without its first", "PUNT_FRAGMENT", from_core(PUBLIC[0], frag=1)),
    core("first fragment to an unmapped port", "DROP_CGNAT_NO_MAPPING", from_core(PUBLIC[0], flags="MF")),
    access("SCTP", "DROP_PROTOCOL", from_subscriber(Raw(bytes(20)), proto=132), blamed=True),
    core("SCTP", "DROP_PROTOCOL", from_core(PUBLIC[0], Raw(bytes(20)), proto=132)),
    access("GRE to a remote end that another subscriber talks to", "DROP_TUNNEL_TAKEN",
           after(tunnel_of_another, from_subscriber(GRE, proto=47)), blamed=True, told=True),
    access("GRE when all tunnels are in use", "DROP_TUNNEL_FULL",
           after(tunnels_used_up, from_subscriber(GRE, proto=47)), blamed=True, told=True),
    access("GRE to another subscriber's public address", "DROP_TUNNEL_HAIRPIN",
           from_subscriber(GRE, remote=PUBLIC[0], proto=47), blamed=True),
    core("GRE that nobody asked for", "DROP_TUNNEL_UNKNOWN", from_core(PUBLIC[0], GRE, proto=47)),
    access("ICMP redirect", "DROP_ICMP_TYPE", from_subscriber(ICMP(type=5) / Raw(bytes(28))), blamed=True),
    access("ICMP destination unreachable about nothing", "DROP_ICMP_QUOTE",
           from_subscriber(ICMP(type=3) / Raw(bytes(28))), blamed=True),
    access("ICMP error with a bad checksum", "DROP_ICMP_CHECKSUM",
           from_subscriber(ICMP(type=3, chksum=1) / IP(dst=ADDRESS) / frames.udp(53, 4000)), blamed=True),
    access("ICMP timestamp", "DROP_ICMP_TYPE", from_subscriber(ICMP(type=13)), blamed=True),
    access("ICMP message with a source route", "DROP_ICMP_SOURCE_ROUTE",
           from_subscriber(frames.echo(9), options=[IPOption(b"\x83\x03\x04\0")]), blamed=True),
    core("ICMP source quench", "DROP_ICMP_TYPE", from_core(PUBLIC[0], ICMP(type=4) / Raw(bytes(28)))),
    core("ICMP destination unreachable about nothing", "DROP_ICMP_QUOTE",
         from_core(PUBLIC[0], ICMP(type=3) / Raw(bytes(28)))),
    core("ICMP error with a bad checksum", "DROP_ICMP_CHECKSUM",
         from_core(PUBLIC[0], ICMP(type=3, chksum=1) / IP(src=PUBLIC[0]) / frames.udp(4000))),
    access("ICMP error about a mapping", "FORWARD_ICMP_UP", error_up),
    core("ICMP error about a mapping", "FORWARD_ICMP_DOWN", error_down),
    access("to multicast", "DROP_ADDRESS", from_subscriber(remote="224.0.0.251"), blamed=True),
    access("to loopback", "DROP_ADDRESS", from_subscriber(remote="127.0.0.1"), blamed=True),
    access("to network 0", "DROP_ADDRESS", from_subscriber(remote="0.1.2.3"), blamed=True),
    access("to class E", "DROP_ADDRESS", from_subscriber(remote="250.0.0.1"), blamed=True),
    access("to this host", "DROP_ADDRESS", from_subscriber(remote=HOST), blamed=True),
    access("broadcast that is not DHCP", "DROP_ADDRESS", from_subscriber(remote="255.255.255.255")),
    access("from 0.0.0.0 that is not DHCP", "DROP_ADDRESS", from_subscriber(src="0.0.0.0")),
    access("address of a range without session", "DROP_NO_SESSION", from_subscriber(src="10.0.0.6")),
    access("gateway from an address without session", "DROP_NO_SESSION", from_subscriber(src="10.0.0.6", remote=GATEWAY)),
    access("address outside all ranges", "DROP_NO_SESSION", from_subscriber(src="172.16.0.1")),
    access("gateway's own address as source", "DROP_NO_SESSION", from_subscriber(src="10.255.0.1")),
    access("session is closing", "DROP_NO_SESSION",
           after(changed(state=abi.SUBSCRIBER_CLOSING), from_subscriber())),
    access("slot has another address", "DROP_NO_SESSION",
           after(changed(address_be=be32("10.0.0.6")), from_subscriber())),
    access("session of another interface", "DROP_SPOOF_INTERFACE", after(changed(interface=ACC2), from_subscriber()),
           blamed=True),
    access("tag where the session has none", "DROP_SPOOF_VLAN", vlan_frame(0x8100), blamed=True),
    access("another MAC", "DROP_SPOOF_MAC", patched(from_subscriber(), 11, b"\xff"), blamed=True),
    access("frame for another station", "DROP_OTHER_STATION", patched(from_subscriber(), 5, b"\xff"), blamed=True),
    access("frame to everybody with an IP packet for one", "DROP_OTHER_STATION",
           patched(from_subscriber(), 0, b"\xff" * 6), blamed=True),
    access("UDP to the gateway", "DROP_GATEWAY", from_subscriber(remote=GATEWAY), blamed=True),
    access("TCP to the gateway", "DROP_GATEWAY", from_subscriber(frames.tcp(4000, 22), remote=GATEWAY), blamed=True),
    access("echo reply to the gateway", "DROP_GATEWAY",
           from_subscriber(frames.echo(9, kind="echo-reply"), remote=GATEWAY), blamed=True),
    access("TTL 1 after the limit of ICMP errors", "DROP_TTL", after(errors_used_up, from_subscriber(ttl=1)),
           blamed=True),
    access("TTL 1, an ICMP error: no error about it", "DROP_TTL",
           from_subscriber(ICMP(type=3) / Raw(bytes(28)), ttl=1), blamed=True),
    access("TTL 1, a later fragment", "DROP_TTL", from_subscriber(ttl=1, frag=5), blamed=True),
    core("TTL 1", "ANSWER_TTL", lambda plane, session: patched(mapped(), IP_AT + 8, b"\x01")(plane, session)),
    core("TTL 1, from no host", "DROP_TTL", from_core(PUBLIC[0], src="224.0.0.1", ttl=1)),
    core("TTL 1 to an exempt subscriber", "ANSWER_TTL", from_core(ADDRESS, ttl=1),
         session={"flags": abi.SUBSCRIBER_EXEMPT}),
    access("to another subscriber's inner address", "DROP_HAIRPIN", from_subscriber(remote="10.0.0.6"), blamed=True),
    access("to its own public end", "FORWARD_HAIRPIN", to_itself),
    access("to an unmapped port of a pool", "DROP_CGNAT_NO_MAPPING", from_subscriber(remote=PUBLIC[0]), blamed=True),
    core("to nobody here", "DROP_NOT_SUBSCRIBER", from_core("192.0.2.5")),
    core("to an address of a range without session", "DROP_NOT_SUBSCRIBER", from_core("10.0.0.77")),
    core("to a subscriber's inner address", "DROP_NOT_EXEMPT", from_core(ADDRESS), blamed=True),
    access("unreachable route", "DROP_NO_ROUTE", from_subscriber(remote=planes.UNREACHABLE), blamed=True),
    access("larger than the core's MTU, may not be fragmented", "DROP_MTU",
           from_subscriber(frames.udp(1, data=bytes(1473)), flags="DF"), blamed=True, told=True),
    access("larger than the core's MTU", "PASS_FRAGMENT", from_subscriber(frames.udp(1, data=bytes(1473)))),
    access("larger than the route's MTU, may not be fragmented", "DROP_MTU",
           from_subscriber(frames.udp(1, data=bytes(973)), remote=planes.SMALL_MTU, flags="DF"), blamed=True,
           told=True),
    core("larger than the access MTU, may not be fragmented", "DROP_MTU",
         from_core(ADDRESS, frames.udp(1, data=bytes(1473)), flags="DF"), blamed=True, told=True,
         session={"flags": abi.SUBSCRIBER_EXEMPT}),
    core("larger than the access MTU", "DROP_MTU", from_core(ADDRESS, frames.udp(1, data=bytes(1473))), blamed=True,
         session={"flags": abi.SUBSCRIBER_EXEMPT}),
    access("route by a device that is not attached", "DROP_NO_INTERFACE",
           from_subscriber(remote=planes.NOT_ATTACHED), blamed=True),
    access("core missing in the devmap", "DROP_NO_INTERFACE",
           after(lambda plane, session: plane.tx_delete(CORE), from_subscriber()), blamed=True),
    core("access missing in the devmap", "DROP_NO_INTERFACE",
         lambda plane, session: mapped(lambda *_: plane.tx_delete(ACC1))(plane, session), blamed=True),
    access("session without a pool", "DROP_CGNAT_NO_POOL", from_subscriber(), session={"pool": 9, "max_mappings": 1},
           blamed=True),
    access("pool exhausted", "DROP_CGNAT_NO_BLOCK",
           after(lambda plane, session: plane.blocks_offer(0, []), from_subscriber()), blamed=True, told=True),
    access("pool exhausted, as the pool's policy nobody is told", "DROP_CGNAT_NO_BLOCK",
           after(refused_silently, from_subscriber()), blamed=True),
    access("block limit", "DROP_CGNAT_BLOCK_LIMIT", after(block_filled, from_subscriber()),
           session={"max_blocks": 1}, blamed=True, told=True),
    access("mapping limit", "DROP_CGNAT_MAPPING_LIMIT", after(without(1, 2, 3), from_subscriber()),
           session={"max_mappings": 3}, blamed=True, told=True),
    access("rate of new mappings", "DROP_CGNAT_RATE_LIMIT", after(rate_used_up, from_subscriber()), blamed=True,
           told=True),
    access("no room for the remote end", "DROP_CGNAT_FLOW_FULL", after(flows_full, from_subscriber()), blamed=True,
           told=True),
    core("a remote end that was not asked", "DROP_CGNAT_FILTER",
         after(filtered, from_core_mapped(remote="192.0.2.77")), blamed=True),
    access("another CPU has the lock", "DROP_CGNAT_BUSY",
           after(lambda plane, session: changed(lock=plane.tick | 1)(plane, session), from_subscriber()), blamed=True),
    core("unmapped port", "DROP_CGNAT_NO_MAPPING", from_core(PUBLIC[0])),
    core("chosen port of a session that may have no block", "DROP_CGNAT_NO_MAPPING", from_core(PUBLIC[0], frames.udp(53, 80))),
    core("address without pool", "DROP_CGNAT_NO_MAPPING", from_core(PUBLIC[3])),
    core("mapping of another protocol", "DROP_CGNAT_NO_MAPPING",
         lambda plane, session: frames.down(PUBLIC[0], frames.tcp(80, mapped_port(plane, session)))),
    core("generation of the slot has moved on", "DROP_CGNAT_STALE", mapped(generation_raised)),
    core("session is closing", "DROP_CGNAT_STALE", mapped(session_closing)),
    access("too many DHCP packets", "DROP_PUNT_LIMIT", after(punt_limit_reached, dhcp_discover)),
    access("PCP request", "PUNT_PCP", after(pcp_offered, pcp_request)),
    access("address that may come up", "PUNT_FIRST_PACKET", after(may_come_up, from_stranger)),
    access("too many PCP requests of a subscriber", "DROP_PUNT_SUBSCRIBER", after(pcp_asked_too_often, pcp_request),
           blamed=True),
    inject("another ethertype", "DROP_INJECT", bad_injection(ethertype_be=0x0008)),
    inject("another version", "DROP_INJECT", bad_injection(version=2)),
    inject("another reason", "DROP_INJECT", bad_injection(reason=abi.PUNT_REASON_DHCP4)),
    inject("to the punt veth", "DROP_INJECT", bad_injection(interface=abi.INTERFACE_PUNT)),
    inject("to an index out of range", "DROP_INJECT", bad_injection(interface=65535)),
    inject("no room for an Ethernet header", "DROP_INJECT", cut(bad_injection(), 32 + 13)),
    inject("header cut", "DROP_INJECT", cut(bad_injection(), 31)),
    inject("to an interface that is not there", "DROP_NO_INTERFACE", bad_injection(interface=20)),
    core("ranges name an address that has no record", "DROP_INTERNAL",
         after(range_beyond_the_map, from_core(PUBLIC[0]))),
    access("a RST opens nothing", "DROP_TCP_FLAGS", from_subscriber(frames.tcp(4000, flags="R")), blamed=True),
    access("nor does RST with ACK", "DROP_TCP_FLAGS", from_subscriber(frames.tcp(4000, flags="RA")), blamed=True),
    access("forwarding is off on the access interface", "DROP_FORWARDING_OFF",
           after(forwarding_off, from_subscriber()), blamed=True),
    access("over the session's rate", "DROP_RATE_UP", after(rate_of_one_byte, from_subscriber()), blamed=True),
    core("over the session's rate", "DROP_RATE_DOWN", mapped(rate_of_one_byte), blamed=True),
    access("the session's filter", "DROP_FILTER_UP", after(filter_that_denies, from_subscriber()), blamed=True),
    core("the session's filter", "DROP_FILTER_DOWN", mapped(filter_that_denies), blamed=True),
    core("forwarding is off on the core interface", "DROP_FORWARDING_OFF",
         after(forwarding_off_core, from_core("192.0.2.5"))),
]

# NONE says that a stage forgot to decide: that no packet of any test is counted
# there is what Plane.run asserts.
NOT_REACHABLE = {"NONE"}


def mapped_port(plane, session):
    return frames.public_end(plane.access(frames.up(session, frames.udp(4000)))) & 0xffff


def action_of(verdict):
    kinds = {"FORWARD": abi.XDP_REDIRECT, "PUNT": abi.XDP_REDIRECT, "INJECT": abi.XDP_REDIRECT,
             "ANSWER": abi.XDP_TX, "PASS": abi.XDP_PASS, "DROP": abi.XDP_DROP}
    own = {"ANSWER_PPP_ALIVE": abi.XDP_DROP, "INJECT_PIN": abi.XDP_DROP, "INJECT_FORGOTTEN": abi.XDP_DROP, "INJECT_UNANSWERED": abi.XDP_DROP,
           "INJECT_EXPECT": abi.XDP_DROP,
           "ANSWER_UNREACHABLE": abi.XDP_REDIRECT}
    return own.get(verdict, kinds[verdict.split("_")[0]])


@pytest.fixture
def forwarding(plane):
    yield
    for device in ("acc1", "core1"):
        planes.sysctl(f"ipv4/conf/{device}/forwarding", 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.verdict}: {row.entry} {row.description}".replace(" ", "-"))
def test_row(plane, forwarding, row):
    session = plane.session(ADDRESS, **row.session)
    frame = row.build(plane, session)
    record = session.record
    drops, sent = record.drop_packets, (record.up_packets, record.down_packets)
    result = {"access": plane.access, "core": plane.core, "inject": plane.inject}[row.entry](frame)
    assert result.verdict == row.verdict
    assert result.action == (abi.XDP_TX if row.told else action_of(row.verdict))
    assert record.drop_packets - drops == bool(row.blamed)
    if result.action == abi.XDP_DROP and row.verdict != "DROP_NO_INTERFACE":
        assert (record.up_packets, record.down_packets) == sent


def test_every_verdict_has_a_row():
    covered = {row.verdict for row in ROWS}
    assert covered | NOT_REACHABLE == set(abi.VERDICTS)
    assert not covered & NOT_REACHABLE


def test_no_row_twice():
    names = [(row.entry, row.verdict, row.description) for row in ROWS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("verdict", ["FORWARD_UP", "DROP_SPOOF_MAC"])
def test_a_thousand_packets_count_a_thousand(plane, verdict):
    session = plane.session(ADDRESS)
    frame = frames.up(session, frames.udp(4000))
    frame = frame if verdict == "FORWARD_UP" else patched(lambda *_: frame, 11, b"\xff")(plane, session)
    for _ in range(1000):
        assert plane.access(frame).verdict == verdict
    assert plane.count(verdict) == 1000
    assert (session.record.up_packets, session.record.drop_packets) == ((1000, 0) if verdict == "FORWARD_UP" else (0, 1000))
