#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What a fresh Debian 12 needs to build, run and test Holdfast: packages, and the
# system user and group that bng-controld runs as. Run it as often as you like:
# with everything in place it only looks.
set -eu

build='build-essential pkg-config cmake ninja-build clang llvm libclang-rt-14-dev linux-libc-dev libbpf-dev
libxdp-dev libelf-dev zlib1g-dev libevent-dev libjansson-dev libsmartcols-dev libsqlite3-dev libssl-dev libfixbuf-dev bpftool'
run='iproute2 ethtool util-linux procps libcap2-bin bash-completion'
check='check sqlite3 libfixbuf-tools libsubunit-dev clang-format shellcheck iputils-ping iputils-arping iperf3 udhcpc isc-dhcp-client
nftables tcpdump tshark coturn stun-client natpmpc freeradius freeradius-utils kea-dhcp4-server gnuplot-nox git systemd systemd-container qemu-system-x86 busybox-static python3 python3-pytest
python3-scapy python3-jsonschema vsftpd curl lftp minisign'

if [ "$(id -u)" != 0 ]; then
	echo "packaging/deps.sh: installs packages and needs root, but runs as $(id -un): run it with sudo" >&2
	exit 1
fi

# shellcheck disable=SC2086 # the lists are words
set -- $build $run $check
missing=
for package; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
	[ "$state" = installed ] || missing="$missing $package"
done

if [ -n "$missing" ]; then
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $missing
	# The tests start it themselves; a server of the machine's own is not wanted.
	case "$missing " in *" freeradius "*)
		[ ! -d /run/systemd/system ] || systemctl disable --now freeradius ;;
	esac
fi

getent group bng >/dev/null || groupadd --system bng
getent passwd bng >/dev/null ||
	useradd --system --gid bng --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin bng
