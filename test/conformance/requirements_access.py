# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the RFCs ask of PPPoE, PPP, DHCP and RADIUS, by their sections; of each section
# what concerns a gateway, in one row (requirement.py).
from requirement import MAY, MUST, SHOULD, Requirement as R

RFC1661 = ("RFC 1661", "PPP", (
    R("rfc1661_s3_5", "3.5", MUST, "No network protocol before authentication is complete; what comes before is dropped"),
    R("rfc1661_s4_1", "4.1", MUST, "The automaton: each event in each state"),
    R("rfc1661_s4_6", "4.6", MUST, "Restart timer, Max-Configure, Max-Terminate and Max-Failure, configurable"),
    R("rfc1661_s5", "5", MUST, "What is malformed is dropped without a word; what is behind the length is padding"),
    R("rfc1661_s5_2", "5.2", MUST, "Only the answer to the last request counts",
      note="one that comes twice is dropped; the automaton would begin anew"),
    R("rfc1661_s5_3", "5.3", MUST, "Configure-Nak: values that are not taken, with one that is"),
    R("rfc1661_s5_4", "5.4", MUST, "Configure-Reject: options that are not known, as they came"),
    R("rfc1661_s5_5", "5.5", MUST, "Terminate-Request is acknowledged with its identifier, and ends the link"),
    R("rfc1661_s5_6", "5.6", MUST, "A code that is not known: Code-Reject"),
    R("rfc1661_s5_7", "5.7", MUST, "A protocol that is not known: Protocol-Reject, no longer than the MRU; one that is rejected stops",
      note="sent once the subscriber is authorised"),
    R("rfc1661_s5_8", "5.8", MUST, "Echo-Request is answered while LCP is open, and only then"),
    R("rfc1661_s6_1", "6.1", MUST, "Maximum-Receive-Unit", note="as large as RFC 2516 and RFC 4638 allow"),
    R("rfc1661_s6_2", "6.2", MUST, "Authentication-Protocol: the one that is asked for, or another that is offered, or no link"),
    R("rfc1661_s6_3", "6.3", MAY, "Quality-Protocol", outside="optional; rejected"),
    R("rfc1661_s6_4", "6.4", MUST, "Magic-Number: a line that is looped back is found"),
    R("rfc1661_s6_5", "6.5 and 6.6", MAY, "Field compression", outside="optional; RFC 2516 section 7 advises against it; rejected"),
))

NETWORK = ("RFC 1332", "IPCP", (
    R("rfc1332_s2", "2", MUST, "The automaton of PPP"),
    R("rfc1332_s3_1", "3.1", MAY, "IP-Addresses", outside="deprecated by the RFC; rejected"),
    R("rfc1332_s3_2", "3.2", MAY, "IP-Compression-Protocol", outside="optional; rejected"),
    R("rfc1332_s3_3", "3.3", MUST, "IP-Address: an address that is not the client's is Nak'd with the one that is"),
))

AUTHENTICATION = ("RFC 1334, RFC 1994, RFC 2759", "PAP, CHAP, MS-CHAPv2", (
    R("rfc1334_s2_2", "RFC 1334, 2.2", MUST, "What is malformed is dropped"),
    R("rfc1334_s2_2_1", "RFC 1334, 2.2.1", MUST, "A request that comes again is answered again"),
    R("rfc1334_s2_2_2", "RFC 1334, 2.2.2", MUST, "A name or password that is wrong: Authenticate-Nak, and the link ends"),
    R("rfc1994_s4_1", "RFC 1994, 4.1", MUST,
      "A challenge is sent again until it is answered; the response is the digest of identifier, secret and challenge; "
      "one to another challenge is dropped"),
    R("rfc1994_s4_1_later", "RFC 1994, 4.1", MAY, "A challenge once more while the link is open", outside="optional"),
    R("rfc1994_s4_2", "RFC 1994, 4.2", MUST, "The same response gets the same answer; after Failure the link ends"),
    R("rfc2759_s4", "RFC 2759, 4", MUST, "The response's fields, with a domain in front of the name"),
    R("rfc2759_s5", "RFC 2759, 5", MUST, "Success carries the server's proof, and there is none without it"),
    R("rfc2759_s6", "RFC 2759, 6", MUST, "Failure in its format", note="no second try (`R=0`)"),
    R("rfc2759_s7", "RFC 2759, 7", MAY, "Changing of passwords", outside="optional; a Failure offers none"),
    R("rfc2759_s8", "RFC 2759, 8", MUST, "Response and proof are computed as given, with the RFC's examples"),
))

PPPOE = ("RFC 2516, RFC 4638", "PPPoE", (
    R("rfc2516_s4", "RFC 2516, 4", MUST, "Version, type, code, lengths and tags are checked; tags that are not known are skipped"),
    R("rfc2516_s5_1", "RFC 2516, 5.1", MUST, "A PADI for a service that is not offered gets no answer"),
    R("rfc2516_s5_2", "RFC 2516, 5.2", MUST, "PADO: AC-Name, the service asked for and the others; Host-Uniq and Relay-Session-Id come back"),
    R("rfc2516_s5_4", "RFC 2516, 5.4", MUST, "PADS with a session id, or with Service-Name-Error and id 0"),
    R("rfc2516_s5_5", "RFC 2516, 5.5", MUST, "PADT ends a session from either side; nothing is sent in it afterwards"),
    R("rfc2516_s6", "RFC 2516, 6", MUST, "Session data: the id is the session's, the length is where the packet ends"),
    R("rfc2516_s7", "RFC 2516, 7", MUST, "No MRU above 1492", note="but where RFC 4638 allows it"),
    R("rfc2516_s9", "RFC 2516, 9", SHOULD, "AC-Cookie: nothing is kept for who has not shown one"),
    R("rfc4638_s4", "RFC 4638, discovery", MUST, "PPP-Max-Payload is answered in PADO and PADS where more than 1492 is configured"),
    R("rfc4638_s5_1", "RFC 4638, LCP", MUST, "An MRU above 1492 only for who asked, and as large as was agreed; such packets pass whole"),
))

RFC2131 = ("RFC 2131", "DHCP", (
    R("rfc2131_s2_1", "2.1", MUST, "Bindings survive a restart of the server"),
    R("rfc2131_s2_2", "2.2", MUST, "A lease that is over is given up"),
    R("rfc2131_s2_2_probe", "2.2", SHOULD, "An address is probed before it is given out",
      gap="it is not; what a client declines is kept back for ten minutes"),
    R("rfc2131_s3_1", "3.1", MUST, "From DISCOVER to RELEASE with a real client"),
    R("rfc2131_s3_2", "3.2", MUST, "INIT-REBOOT: a client's address is confirmed"),
    R("rfc2131_s4_1", "4.1", MUST,
      "Messages: broadcast flag, T1 and T2, size that the client takes, options in `file` and `sname`; what is malformed is refused"),
    R("rfc2131_s4_2", "4.2", MUST, "A client identifier tells clients apart",
      gap="a client is an interface, VLAN ids and a MAC, which antispoof binds its session to; its identifier is echoed only"),
    R("rfc2131_s4_3_1", "4.3.1", SHOULD, "The address that the client had, else the one it asks for, else a free one; options in the order asked for"),
    R("rfc2131_s4_3_2", "4.3.2", MUST, "REQUEST in each of its meanings: ACK, NAK or silence"),
    R("rfc2131_s4_3_3", "4.3.3", MUST, "DECLINE: the address is not given out"),
    R("rfc2131_s4_3_4", "4.3.4", SHOULD, "RELEASE ends the lease, the client's own only"),
    R("rfc2131_s4_3_5", "4.3.5", MUST, "INFORM: parameters without a lease"),
))

RFC3046 = ("RFC 3046, RFC 4679", "The line: Option 82 and its attributes", (
    R("rfc3046_s2_1", "RFC 3046, 2.1", MUST,
      "As a relay: the option is added, and taken off the reply; from where no access node is trusted it is not let through",
      note="`option82_trusted` names where access nodes are"),
    R("rfc3046_s2_1_1", "RFC 3046, 2.1.1", MUST, "A message that came by another relay is passed on as it is",
      gap="it is refused (`relayed`): access nodes in front of the gateway leave `giaddr` 0"),
    R("rfc3046_s2_2", "RFC 3046, 2.2", MUST, "As a server: the option comes back whole, and last"),
    R("rfc4679_s3", "RFC 4679, 3.3", MUST, "Circuit and remote id reach RADIUS as they are, when asking and in accounting"),
    R("rfc4679_s3_rates", "RFC 4679, 3.3", MAY, "Rates and delays of the line", outside="optional; what an access node tells besides the ids is not read"),
))

RFC2865 = ("RFC 2865", "RADIUS", (
    R("rfc2865_s2_5", "2.5", MUST, "Sent again with the same identifier, authenticator and port; then to another server"),
    R("rfc2865_s3", "3", MUST, "Replies that are malformed, or not of the server that was asked, are dropped"),
    R("rfc2865_s4_1", "4.1", MUST, "Access-Request: NAS-Identifier or NAS-IP-Address, and a password or CHAP-Password; NAS-Port"),
    R("rfc2865_s4_2", "4.2", MUST, "Access-Accept", note="with Message-Authenticator, which is required by default"),
    R("rfc2865_s4_3", "4.3", MUST, "Access-Reject: no session"),
    R("rfc2865_s4_4", "4.4", MUST, "Access-Challenge where it is not supported is an Access-Reject"),
    R("rfc2865_s5_2", "5.2", MUST, "User-Password is hidden"),
    R("rfc2865_s5_3", "5.3", MUST, "CHAP-Password"),
    R("rfc2865_s5_25", "5.25", SHOULD, "Class comes back in accounting, unchanged"),
    R("rfc2865_s5_26", "5.26", MUST, "Vendor-Specific: several in one, those not known are skipped"),
))

ACCOUNTING = ("RFC 2866, RFC 5176", "Accounting, changes of authorisation", (
    R("rfc2866_s2", "RFC 2866, 2", SHOULD, "A record is sent until it is acknowledged"),
    R("rfc2866_s3", "RFC 2866, 3", MUST, "The authenticator of an Accounting-Request is its digest"),
    R("rfc2866_s5_1", "RFC 2866, 5.1", MUST, "Start, Stop, Accounting-On"),
    R("rfc2866_s5_2", "RFC 2866, 5.2", MAY, "Acct-Delay-Time: how long a record has waited"),
    R("rfc2866_s5_10", "RFC 2866, 5.10", MAY, "Acct-Terminate-Cause in a Stop, and there only"),
    R("rfc5176_s2_1", "RFC 5176, 2.1", MUST, "Disconnect-Request ends the session"),
    R("rfc5176_s2_2", "RFC 5176, 2.2", MUST, "CoA-Request changes the session, as a whole or not at all"),
    R("rfc5176_s2_3", "RFC 5176, 2.3", MUST, "Packets are authenticated; a request that comes again has no second effect"),
    R("rfc5176_s3", "RFC 5176, 3", MUST, "All that identifies a session must be true of it, and of no other"),
    R("rfc5176_s3_5", "RFC 5176, 3.5", MUST, "A NAK says why: Error-Cause"),
    R("rfc5176_s6_1", "RFC 5176, 6.1", MUST, "From listed clients only; others get no answer"),
    R("rfc5176_s6_3", "RFC 5176, 6.3", MUST, "Event-Timestamp: what is old, or from the future, is dropped"),
))

ACCESS = (RFC1661, NETWORK, AUTHENTICATION, PPPOE, RFC2131, RFC3046, RFC2865, ACCOUNTING)
