# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the RFCs ask of a carrier-grade NAT, in our words: the rows of
# docs/conformance.md. A test proves a row by having the row's id in its name
# (results.py); which tests there are is written nowhere else.
#
# A row without `gap`, `outside` or `pending` is met when it has tests and all of
# them passed, and an error otherwise.
#   gap      why it is not met, or only in part; its tests are listed all the same
#   outside  why it does not apply
#   pending  who has no test yet: not tested, and why; forgotten once there is one
#   note     what the operator should know of a row that is met
#   derived  met when no MUST of these RFCs is unmet
import dataclasses

MUST, SHOULD, MAY = "MUST", "SHOULD", "MAY"


@dataclasses.dataclass(frozen=True)
class Requirement:
    id: str
    section: str
    level: str
    text: str
    gap: str = ""
    outside: str = ""
    pending: str = ""
    note: str = ""
    derived: tuple = ()

    @property
    def label(self):
        """rfc4787_req9a and rfc4787_req9a_more -> REQ-9a; rfc7857_s2_2 -> "", as its section says it."""
        name = self.id.split("_")[1] if "_" in self.id else ""
        return f"REQ-{name.removeprefix('req')}" if name.startswith("req") else ""


R = Requirement

RFC6888 = ("RFC 6888", "Carrier-grade NAT", (
    R("rfc6888_req1", "3", MUST, "Each transport protocol is translated as its own RFC asks: UDP 4787, TCP 5382, ICMP 5508",
      derived=("rfc4787", "rfc5382", "rfc5508")),
    R("rfc6888_req1d", "3", MUST, "DCCP, if it is forwarded, as RFC 5597 asks", note="DCCP is refused (`drop_protocol`)"),
    R("rfc6888_req2", "3", MUST, "Paired pooling by default: one public address for all of a subscriber's protocols"),
    R("rfc6888_req3", "3", MUST, "A pool may be made of address ranges that are not contiguous"),
    R("rfc6888_req4", "3", MUST, "The public ports of a subscriber can be limited"),
    R("rfc6888_req4a", "3", MUST, "That limit is configurable"),
    R("rfc6888_req4b", "3", MAY, "A limit for each transport protocol",
      outside="optional; a port block is shared by all protocols"),
    R("rfc6888_req4c", "3", SHOULD, "The rate of new mappings of a subscriber can be limited"),
    R("rfc6888_req5", "3", SHOULD, "The state kept for a mapping and for a subscriber is limited"),
    R("rfc6888_req5a", "3", SHOULD, "Those limits are configurable"),
    R("rfc6888_req5b", "3", SHOULD, "The rate at which state is taken can be limited"),
    R("rfc6888_req6", "3", MUST, "Translation can be switched off for destination addresses and ports"),
    R("rfc6888_req7", "3", SHOULD, "Endpoint-independent filtering by default"),
    R("rfc6888_req8", "3", SHOULD, "A freed public port is not given to another subscriber for 120 s; the time, and how many wait, is configurable"),
    R("rfc6888_req8_own", "3", SHOULD, "... nor to another mapping of the same subscriber",
      gap="a UDP port or ICMP identifier in a block that stays with its subscriber may be used again at once. The RFC allows "
          "that of TCP, whose sessions are tracked, with address-dependent filtering, and in blocks of deterministic pools"),
    R("rfc6888_req9", "3", MUST, "A protocol by which subscribers control their mappings (PCP)",
      note="for each pool that has it switched on"),
    R("rfc6888_req10", "3", SHOULD, "Manageable", note="JSON-RPC described by OpenRPC, `bngcli`, events"),
    R("rfc6888_req10_mib", "3", SHOULD, "... by standards such as the NAT MIB (RFC 4008)", gap="there is no SNMP agent"),
    R("rfc6888_req11a", "3", MUST, "A packet whose mapping cannot be made is dropped"),
    R("rfc6888_req11b", "3", SHOULD, "... its sender is told: ICMP host unreachable",
      note="by the pool's `refusal`; the default is code 13, as RFC 5508 REQ-8 asks"),
    R("rfc6888_req11c", "3", SHOULD, "... management is told",
      note="by an event and a line in the log, at most one in ten seconds and pool, and by counters"),
    R("rfc6888_req11d", "3", MUST, "... and no mapping is ended to make room"),
    R("rfc6888_req12", "4", SHOULD, "Destinations are not logged"),
    R("rfc6888_req13", "5", SHOULD, "Ports are used to the last one"),
    R("rfc6888_req14", "5", SHOULD, "Logs are small", note="one record for a port block, not for a mapping"),
    R("rfc6888_req15", "5", SHOULD, "The next port is hard to guess"),
))

RFC4787 = ("RFC 4787", "UDP", (
    R("rfc4787_req1", "4.1", MUST, "Endpoint-independent mapping"),
    R("rfc4787_req2", "4.1", SHOULD, "Paired pooling"),
    R("rfc4787_req3", "4.2.1", MUST, "No port overloading: a public port has one inner end"),
    R("rfc4787_req3a", "4.2.1", SHOULD, "A port below 1024 becomes one below 1024, another one stays above",
      gap="ports below 1024 are never given out: they would have to be kept apart for each subscriber"),
    R("rfc4787_req4", "4.2.2", SHOULD, "Port parity is kept", note="while the block has a port of that parity"),
    R("rfc4787_req5", "4.3", MUST, "A mapping lives two minutes at least"),
    R("rfc4787_req5a", "4.3", MAY, "A shorter timer for a well-known destination port"),
    R("rfc4787_req5b", "4.3", MAY, "The timer is configurable"),
    R("rfc4787_req5c", "4.3", SHOULD, "Five minutes by default"),
    R("rfc4787_req6", "4.3", MUST, "Packets from inside refresh a mapping"),
    R("rfc4787_req6a", "4.3", MAY, "Packets from outside do, if configured"),
    R("rfc4787_req7", "4.4", MUST, "Inner and public addresses do not conflict",
      note="both are configured, and refused if they overlap; an inner address is looked for inside only (`drop_hairpin`)"),
    R("rfc4787_req8", "5", SHOULD, "Filtering: endpoint-independent, address-dependent, or address-and-port-dependent"),
    R("rfc4787_req8a", "5", MAY, "Filtering is configurable", note="for each pool, live"),
    R("rfc4787_req9", "6", MUST, "Hairpinning"),
    R("rfc4787_req9a", "6", MUST, "... with the external source address and port"),
    R("rfc4787_req10", "7", SHOULD, "Application-level gateways are off"),
    R("rfc4787_req10a", "7", SHOULD, "Each of them is enabled by itself", note="FTP is the only one: `alg` of a pool"),
    R("rfc4787_req11", "8", MUST, "Deterministic: mapping and filtering never change their ways"),
    R("rfc4787_req12", "9", MUST, "No ICMP message ends a mapping"),
    R("rfc4787_req12a", "9", SHOULD, "ICMP messages are not filtered by their source"),
    R("rfc4787_req12b", "9", SHOULD, "ICMP destination unreachable is supported"),
    R("rfc4787_req13", "10", MUST, "DF and too large: ICMP fragmentation needed"),
    R("rfc4787_req13a", "10", MUST, "Without DF it is fragmented, in order",
      note="towards the core, by the kernel; towards a subscriber, whose link is the larger one, it is dropped (`drop_mtu`)"),
    R("rfc4787_req14", "11", MUST, "Fragments are translated in order and out of order",
      note="what comes before its first is held by controld for up to two seconds"),
    R("rfc4787_req14a", "11", MUST, "Fragments cannot be used to exhaust memory"),
))

RFC5382 = ("RFC 5382", "TCP", (
    R("rfc5382_req1", "4.1", MUST, "Endpoint-independent mapping"),
    R("rfc5382_req2", "4.2", MUST, "Every valid sequence of packets"),
    R("rfc5382_req2a", "4.2", MUST, "... simultaneous open too"),
    R("rfc5382_req3", "4.3", SHOULD, "Filtering: endpoint-independent, address-dependent, or address-and-port-dependent"),
    R("rfc5382_req3a", "4.3", MAY, "Filtering is configurable"),
    R("rfc5382_req3b", "4.3", MAY, "... apart from that of UDP", outside="optional; a pool has one filtering for all protocols"),
    R("rfc5382_req4", "4.3", MUST, "An unsolicited SYN is not answered for six seconds, then by ICMP port unreachable",
      note="the answer needs controld"),
    R("rfc5382_req4a", "4.3", MUST, "... and silently dropped where an answer is against policy"),
    R("rfc5382_req5", "5", MUST, "Idle timers: established at least 2 h 4 min, transitory at least 4 min"),
    R("rfc5382_req5a", "5", MAY, "The timers are configurable"),
    R("rfc5382_req6", "6", SHOULD, "Application-level gateways are off, except FTP", note="FTP too, unless the pool asks for it"),
    R("rfc5382_req7", "7.1", MUST, "No port overloading"),
    R("rfc5382_req8", "7.2", MUST, "Hairpinning"),
    R("rfc5382_req8a", "7.2", MUST, "... with the external source address and port"),
    R("rfc5382_req9", "7.3", SHOULD, "ICMP destination unreachable is translated"),
    R("rfc5382_req10", "7.3", MUST, "No ICMP message ends a mapping or a connection"),
))

RFC5508 = ("RFC 5508", "ICMP", (
    R("rfc5508_req1", "3.1", MUST, "Queries from inside and their replies"),
    R("rfc5508_req1a", "3.1", SHOULD, "A query's identifier is mapped whatever the destination"),
    R("rfc5508_req2", "3.2", MUST, "A query's mapping lives 60 s at least"),
    R("rfc5508_req2a", "3.2", SHOULD, "The timer is configurable"),
    R("rfc5508_req3", "4.1", SHOULD, "An error with a wrong checksum is dropped"),
    R("rfc5508_req3a", "4.1", SHOULD, "... or whose quoted IP header has a wrong one"),
    R("rfc5508_req3b", "4.1", MUST, "Options in the quoted header are stepped over"),
    R("rfc5508_req3c", "4.1", SHOULD, "The quoted transport checksum is not judged"),
    R("rfc5508_req3d", "4.1", MUST, "ICMP extensions are no part of the quoted packet"),
    R("rfc5508_req4", "4.2.1", SHOULD, "An error from outside about nothing mapped is dropped"),
    R("rfc5508_req4a", "4.2.1", MUST, "The quoted packet becomes what the subscriber had sent"),
    R("rfc5508_req4b", "4.2.1", MUST, "Type and code stay"),
    R("rfc5508_req4c", "4.2.1", MUST, "The error goes to the quoted packet's inner source"),
    R("rfc5508_req5", "4.2.2", SHOULD, "An error from inside about nothing mapped is dropped"),
    R("rfc5508_req5a", "4.2.2", MUST, "The quoted packet becomes what the internet had sent"),
    R("rfc5508_req5b", "4.2.2", MUST, "Type and code stay"),
    R("rfc5508_req5c", "4.2.2", MUST, "Its source becomes the public address"),
    R("rfc5508_req6", "4.3", MUST, "An error neither refreshes nor ends a mapping"),
    R("rfc5508_req7", "5", MUST, "Errors are hairpinned"),
    R("rfc5508_req7a", "5", MUST, "... to the quoted packet's inner source"),
    R("rfc5508_req8", "6", SHOULD, "A refused mapping is told by type 3 code 13"),
    R("rfc5508_req9", "7", MAY, "Policy may keep the gateway from sending ICMP messages"),
    R("rfc5508_req10a", "7", MUST, "Destination unreachable, time exceeded and echo are supported"),
    R("rfc5508_req10b", "7", MAY, "Redirect, timestamp, address mask, parameter problem, router discovery",
      outside="optional; errors of type 12 are translated, the others dropped"),
    R("rfc5508_s7_3", "7.3", SHOULD, "No ICMP message with a source route leaves for the internet"),
    R("rfc5508_req10c", "7", SHOULD, "Source quench and information request are not supported"),
    R("rfc5508_req10d", "7.7", SHOULD, "An error of ours has the traffic class of the packet it is about"),
    R("rfc5508_req10e", "7", SHOULD, "No error about an error, a later fragment, or to what is no host"),
    R("rfc5508_req10f", "7", SHOULD, "Errors of ours are limited in rate"),
    R("rfc5508_req11", "7", MAY, "Other types may be dropped"),
))

RFC7857 = ("RFC 7857", "Updates to the three", (
    R("rfc7857_s2", "2", SHOULD, "A TCP state machine",
      note="with established from outside, closing and reset; a connection that ends its established timer ends"),
    R("rfc7857_s2_1", "2.1", SHOULD, "Partially open and closing have timers of their own, four minutes by default"),
    R("rfc7857_s2_2", "2.2", MUST, "A RST is translated; the mapping stays four minutes, and for good if anything follows"),
    R("rfc7857_s3", "3", MAY, "One port for several inner ends with different destinations",
      outside="optional; contradicts endpoint-independent mapping"),
    R("rfc7857_s4", "4", SHOULD, "A subscriber whose paired address is full is refused, for TCP too"),
    R("rfc7857_s5", "5", SHOULD, "Mappings of each protocol are its own"),
    R("rfc7857_s6", "6", SHOULD, "Endpoint-independent filtering, too"),
    R("rfc7857_s7", "7", SHOULD, "A packet from outside that is refused does not refresh, for TCP too"),
    R("rfc7857_s7_1", "7.1", SHOULD, "ICMP errors and RSTs in answer to packets from outside do not refresh"),
    R("rfc7857_s8", "8", SHOULD, "Port parity can be asked for", note="it is kept for every UDP mapping"),
    R("rfc7857_s9", "9", SHOULD, "Ports are obfuscated, by parity too"),
    R("rfc7857_s10", "10", SHOULD, "Identification fields of fragments are unique behind the public address (RFC 6864)",
      gap="the field is not changed: two subscribers that send fragments with one identification to one host at one time "
          "are mixed up by it"),
    R("rfc7857_s11", "11", MAY, "An ICMP query mapping ends with its last session",
      outside="optional; a mapping is all the state there is, and ends by its timer"),
    R("rfc7857_s12", "12", MUST, "ICMP errors and replies are hairpinned"),
))

LOGS = ("RFC 8158, RFC 7422, RFC 6887", "Logs, deterministic NAT, PCP", (
    R("rfc8158_s4_3", "RFC 8158, 4.3", MUST, "Port blocks are told as natEvent 16 (allocation) and 17 (de-allocation)"),
    R("rfc8158_s4_6_10", "RFC 8158, 4.6.10", MUST, "... with the template of table 21, in its order"),
    R("rfc7422", "RFC 7422", SHOULD, "Who had a port is computed from the configuration; only overflow is logged",
      note="what is logged besides is what somebody still has by a rule that is gone"),
    R("rfc6887", "RFC 6887", MUST, "PCP: MAP, PEER and ANNOUNCE at the gateway address, each error with its result code",
      note="`THIRD_PARTY` and `FILTER` are not offered, nor all ports at once"),
    R("rfc6887_s8", "RFC 6887, 8", MUST, "The same request again is answered the same"),
    R("rfc6887_s8_5", "RFC 6887, 8.5", MUST, "The epoch goes on while the server keeps its mappings"),
    R("rfc6887_s9", "RFC 6887, 9", MUST, "Another version, and NAT-PMP, is answered with the version that is spoken"),
    R("rfc6887_s11_3", "RFC 6887, 11.3", MUST,
      "MAP: the port of an open mapping, else the one suggested if it is free; changed only with its nonce"),
    R("rfc6887_s12", "RFC 6887, 12", MUST, "PEER: the mapping of a flow is told and lives longer",
      note="refused in pools that filter"),
    R("rfc6887_s14_1", "RFC 6887, 14.1", SHOULD, "Clients are told when their mappings were lost",
      note="once, when a session comes up"),
    R("rfc6887_s15", "RFC 6887, 15", MUST, "A mapping lives for the lifetime it was given, not longer by the server's doing"),
    R("rfc6887_s15_1", "RFC 6887, 15.1", MUST, "Deleting: what is not there with success, what the operator made never"),
))

GROUPS = (RFC6888, RFC4787, RFC5382, RFC5508, RFC7857, LOGS)
BY_ID = {row.id: row for _, _, rows in GROUPS for row in rows}
RFCS = {row.split("_")[0] for row in BY_ID}
