# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A PPPoE client that is not ours, Debian's pppd with its kernel, against the gateway and
# FreeRADIUS: it comes up by each method, and a controld that is killed and away is no
# reason for it to hang up.
import pathlib
import re
import time

import lab as lab_module
import pppd_machine
import pytest
import radius
from lab import EXEMPT, GATEWAY, INTERNET, Lab, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
ADDRESS = "10.0.0.77"  # what FreeRADIUS gives nemo
PORT = 18150
AWAY_S = 6  # twice what pppd waits for
PINGS = 14
INIT = f"""#!/busybox sh
/busybox mkdir -p /proc /sys /dev /run /var/run /tmp
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
/busybox mount -t devtmpfs devtmpfs /dev
export PATH=/bin:/usr/sbin
/busybox --install -s /bin
for module in e1000 slhc ppp_generic pppox pppoe; do insmod /modules/$module.ko; done
ip link set lo up
ip link set eth0 up
sleep 3

# call NUMBER OPTION... : pppd, until it is up or has given up
call() {{
	echo "call $1"; shift
	rm -f /tmp/up
	pppd plugin {pppd_machine.PLUGIN} eth0 file /options-client "$@" &
	pppd=$!
	while [ ! -e /tmp/up ] && kill -0 $pppd 2>/dev/null; do usleep 100000; done
}}

number=0
for refused in "" "refuse-mschap-v2" "refuse-mschap-v2 refuse-chap"; do
	call $number $refused
	ping -q -c 3 -W 2 {INTERNET}
	kill $pppd; wait $pppd
	echo "ended $number"
	number=$((number + 1))
done
call 3
ping -q -c {PINGS} -W 2 {INTERNET}
echo "stayed"
wait $pppd
echo "ended 3"
call 4
ping -q -c 3 -W 2 {INTERNET}
kill $pppd; wait $pppd
echo "ended 4"
sleep 100000
"""
OPTIONS = """user nemo
noauth
usepeerdns
nodetach
debug
noipdefault
defaultroute
lcp-echo-interval 1
lcp-echo-failure 3
"""
IP_UP = """#!/busybox sh
touch /tmp/up
"""


@pytest.fixture(scope="module", name="lab")
def gateway_with_pppd():
    with Lab() as lab:
        lab.dictionary = lab.directory / "dictionary"
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        radius.start_freeradius(lab, TOP, [("free", INTERNET, PORT, True)])
        lab.config["radius"] = {"servers": [{"name": "free", "address": INTERNET, "port": PORT, "secret": radius.SECRET}],
                                "nas_identifier": "bng-test", "dictionary": str(lab.dictionary)}
        del lab.config["dhcp4"]
        lab.config["aaa"] = {"pppoe": {"method": "radius"}}
        lab.config["pppoe"] = {
            "interfaces": ["access0"], "auth": ["mschapv2", "chap", "pap"],
            "pools": [{"name": "dsl", "prefix": "10.0.0.0/16", "first": "10.0.1.10", "last": "10.0.1.99",
                       "gateway": GATEWAY, "dns": [EXEMPT], "nat_pool": "default"}]}
        lab.start_daemons()
        lab.start_bngsync()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        pppd_machine.start(lab, lab.access, lab_module.BUILD, [("nemo", "arctangent")], init=INIT,
                           more={"options-client": OPTIONS, "etc/ppp/ip-up": IP_UP})
        lab.ip(lab.access, "link set tap0 master bridge")
        yield lab


def said(lab, after="", until="\0"):
    """What pppd's machine printed between two lines."""
    text = (lab.directory / "pppd.log").read_text(errors="replace").replace("\r", "")
    return text[text.index(after) + len(after):].partition(until)[0] if after in text else ""


def wait_said(lab, text, after="", timeout=90):
    wait_for(f"pppd's machine to say {text!r}; it said\n{said(lab)[-3000:]}", lambda: text in said(lab, after), timeout)


def controld_dies(lab):
    lab.controld.kill()
    lab.reap(lab.controld)


@pytest.mark.parametrize("number, proof", [(0, "auth chap MS-v2"), (1, "auth chap MD5"), (2, "auth pap")])
def test_it_comes_up_by_each_method(lab, number, proof):
    wait_said(lab, f"ended {number}\n")
    call = said(lab, f"call {number}\n", f"ended {number}\n")
    assert re.search(rf"sent \[LCP ConfAck .*<{proof}>", call), call
    for line in (f"local  IP address {ADDRESS}", f"remote IP address {GATEWAY}", f"primary   DNS address {EXEMPT}"):
        assert line in call, call
    assert "3 packets transmitted, 3 packets received" in call
    assert "rcvd [LCP TermAck" in call


def test_it_stays_up_while_nobody_is_there(lab):
    wait_said(lab, "local  IP address", "call 3\n")
    (session,) = [session for session in lab.sessions().items() if session[1][0] == ADDRESS]
    questions = lab.log("freeradius")
    controld_dies(lab)
    time.sleep(AWAY_S)
    lab.start_controld()
    wait_said(lab, "stayed\n", "call 3\n")
    call = said(lab, "call 3\n", "stayed\n")
    assert f"{PINGS} packets transmitted, {PINGS} packets received" in call
    assert "No response" not in call and "terminated" not in call
    assert session in lab.sessions().items() and lab.log("freeradius") == questions


def test_it_hears_that_the_operator_ended_it(lab):
    lab.call("session.disconnect", {"address": ADDRESS})
    wait_said(lab, "ended 3\n", "stayed\n")
    assert re.search(r"rcvd \[LCP TermReq", said(lab, "stayed\n", "ended 3\n"))


def test_it_comes_up_though_controld_was_killed_in_between(lab):
    wait_said(lab, "Connect: ppp0", "call 4\n")
    controld_dies(lab)
    assert "local  IP address" not in said(lab, "call 4\n")
    lab.start_controld()
    wait_said(lab, "ended 4\n", "call 4\n")
    call = said(lab, "call 4\n", "ended 4\n")
    assert call.count("Connect: ppp0") == 1 and f"local  IP address {ADDRESS}" in call
    assert "3 packets transmitted, 3 packets received" in call
