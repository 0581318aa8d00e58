# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Rows of test_packet_verdicts.py: what ends because it is PPPoE.
import abi
import frames
from plane import ACC1, ETH_P_PPP_SES
from rows import ADDRESS, BROADCAST, access, after, changed, core, from_core, from_subscriber, patched

OVER_PPPOE = {"tags": ((ETH_P_PPP_SES, 7),)}


def pppoe_not_offered(plane, session):
    plane.interface[ACC1].flags = 0


def discovery(mac=None, code=frames.PADI):
    return lambda plane, session: frames.discovery(code, mac or session.mac, BROADCAST)


def discovered_too_often(plane, session):
    while plane.access(discovery()(plane, session)).verdict == "PUNT_PPPOE_DISCOVERY":
        pass


def discovered_by_many(plane, session):
    plane.pppoe_limit[abi.PPPOE_LIMIT_VLAN].rate, plane.pppoe_limit[abi.PPPOE_LIMIT_VLAN].burst = 1, 1
    for number in range(3):
        plane.access(discovery(f"02:33:00:00:01:{number:02x}")(plane, session))


def lcp(code):
    return lambda plane, session: frames.ppp(session, frames.PPP_LCP, frames.lcp(code, 1))


def lcp_of_nobody(plane, session):
    return frames.ppp(session, frames.PPP_LCP, frames.lcp(1, 1), number=8)


ROWS = [
    access("PPPoE discovery where it is not offered", "DROP_PPPOE", after(pppoe_not_offered, discovery())),
    access("LCP where PPPoE is not offered", "DROP_PPPOE", after(pppoe_not_offered, lcp_of_nobody), session=OVER_PPPOE),
    access("PPPoE discovery", "PUNT_PPPOE_DISCOVERY", discovery()),
    access("too much PPPoE discovery of a MAC", "DROP_PPPOE_FLOOD_MAC", after(discovered_too_often, discovery())),
    access("too much PPPoE discovery on a VLAN", "DROP_PPPOE_FLOOD_VLAN",
           after(discovered_by_many, discovery("02:33:00:00:00:01"))),
    access("an offer of PPPoE", "DROP_PPPOE_HEADER", discovery(code=frames.PADO)),
    access("PPPoE of version 2", "DROP_PPPOE_HEADER", patched(from_subscriber(), 14, b"\x21"), session=OVER_PPPOE),
    access("PPP control of nobody", "PUNT_PPPOE_SESSION", lcp_of_nobody, session=OVER_PPPOE),
    access("PPP control of a session", "PUNT_PPPOE_SESSION", lcp(1), session=OVER_PPPOE),
    access("LCP echo request", "ANSWER_PPP_ECHO", lcp(frames.LCP_ECHO_REQUEST), session=OVER_PPPOE),
    access("LCP echo reply", "ANSWER_PPP_ALIVE", lcp(frames.LCP_ECHO_REPLY), session=OVER_PPPOE),
    access("data in PPPoE", "FORWARD_UP", from_subscriber(), session=OVER_PPPOE),
    core("larger than a PPPoE session's MTU", "PUNT_LARGE", from_core(ADDRESS, frames.udp(1, data=bytes(1465))),
         session={**OVER_PPPOE, "flags": abi.SUBSCRIBER_EXEMPT}),
    core("larger than a PPPoE session's MTU, may not be fragmented", "DROP_MTU",
         from_core(ADDRESS, frames.udp(1, data=bytes(1465)), flags="DF"),
         session={**OVER_PPPOE, "flags": abi.SUBSCRIBER_EXEMPT}, blamed=True, told=True),
    access("data in PPPoE of nobody", "DROP_PPPOE_NO_SESSION", from_subscriber(src="10.0.0.6"), session=OVER_PPPOE),
    access("data of another PPPoE session", "DROP_SPOOF_PPPOE", after(changed(pppoe_session=8), from_subscriber()),
           session=OVER_PPPOE, blamed=True),
    access("data without the session's PPPoE", "DROP_SPOOF_PPPOE", after(changed(pppoe_session=7), from_subscriber()),
           blamed=True),
]
