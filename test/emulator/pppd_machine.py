# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A machine with Debian's kernel, pppoe-server and pppd under QEMU (software emulation):
# this kernel has no PPP, that one has. Its network card is a TAP interface of a
# namespace. Packages are fetched once and kept in BUILD/pppd.
import pathlib
import sys

import sandbox

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kernel"))
import boot  # noqa: E402 pylint: disable=wrong-import-position

MODULES = ("drivers/net/ethernet/intel/e1000/e1000.ko", "drivers/net/slip/slhc.ko", "drivers/net/ppp/ppp_generic.ko",
           "drivers/net/ppp/ppp_async.ko", "drivers/net/ppp/pppox.ko", "drivers/net/ppp/pppoe.ko")
PACKAGE = "linux-image-amd64"  # with all modules
PROGRAMS = ("usr/sbin/pppoe-server", "usr/sbin/pppoe", "usr/sbin/pppd")
PLUGIN = "rp-pppoe.so"  # with it pppd is a PPPoE client
# Each has a server of its own, told apart by the service name.
METHODS = {"pap": "require-pap", "chap": "require-chap", "mschap2": "require-mschap-v2"}
INIT = """#!/busybox sh
/busybox mkdir -p /proc /sys /dev /run /var/run /tmp
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
/busybox mount -t devtmpfs devtmpfs /dev
/busybox mkdir -p /dev/pts
/busybox mount -t devpts devpts /dev/pts
for module in e1000 slhc ppp_generic ppp_async; do /busybox insmod /modules/$module.ko; done
/busybox ip link set lo up
/busybox ip link set eth0 up
/busybox echo 1 >/proc/sys/net/ipv4/ip_forward
export PATH=/usr/sbin
number=64
for method in pap chap mschap2; do
	/usr/sbin/pppoe-server -I eth0 -C concentrator -S $method -L 10.$number.0.1 -R 10.$number.0.10 -N 60 \\
		-O /options-$method -q /usr/sbin/pppd -Q /usr/sbin/pppoe 2>&1
	number=$((number + 1))
done
echo "serving $(/busybox uname -r)"
/busybox sleep 100000
"""
OPTIONS = """{auth}
mtu 1492
mru 1492
ms-dns 192.0.2.1
ms-dns 192.0.2.2
lcp-echo-interval 1
lcp-echo-failure 5
nodefaultroute
default-asyncmap
noaccomp
nopcomp
local
noccp
novj
ktune
debug
logfile /dev/ttyS0
"""


def files_of(directory, kernel):
    files = {"busybox": boot.BUSYBOX, "bin/sh": boot.BUSYBOX, **boot.modules_of(kernel, MODULES)}
    roots = [boot.fetch(directory, "ppp"), boot.fetch(directory, "pppoe")]
    for program in PROGRAMS:
        (files[program],) = [root / program for root in roots if (root / program).exists()]
    files |= boot.libraries(*(files[program] for program in PROGRAMS))
    (plugin,) = roots[0].glob(f"usr/lib/pppd/*/{PLUGIN}")
    files[str(plugin.relative_to(roots[0]))] = plugin
    return files


def start(lab, namespace, build, users, init=INIT, more=None):
    """Boots it with one network card, TAP interface `tap0` of the namespace. `users`: (name, password);
    `more`: text files, by name."""
    directory = build / "pppd"
    kernel = boot.kernel_fetch(directory, PACKAGE)
    secrets = "".join(f"{name} * {password} *\n" for name, password in users)
    texts = {"init": init, "etc/ppp/pap-secrets": secrets,
             "etc/ppp/chap-secrets": secrets, "etc/ppp/options": "", "etc/passwd": "root:x:0:0:root:/:/busybox\n",
             "etc/hosts": "127.0.0.1 localhost\n"}
    texts |= {f"options-{method}": OPTIONS.format(auth=auth) for method, auth in METHODS.items()}
    texts |= more or {}
    image = lab.directory / "initramfs"
    boot.file_system_build(image, files_of(directory, kernel), texts)
    sandbox.run(["ip", "-n", namespace, "tuntap", "add", "tap0", "mode", "tap"])
    sandbox.run(["ip", "-n", namespace, "link", "set", "tap0", "up"])
    return lab.start(namespace, "qemu-system-x86_64", "-m", "512", "-nographic", "-no-reboot", "-nodefaults", "-serial",
                     "stdio", "-kernel", kernel, "-initrd", image, "-append", boot.COMMAND_LINE, "-netdev",
                     "tap,id=card,ifname=tap0,script=no,downscript=no", "-device", "e1000,netdev=card", log="pppd.log")

