#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What udhcpc runs when something happens: configures the interface in the
# client's namespace and writes the event and the lease to $BNG_LEASE_FILE.
set -eu
# shellcheck disable=SC2154 # udhcpc sets them
case "$1" in
deconfig)
	ip -4 address flush dev "$interface"
	;;
bound | renew)
	ip address replace "$ip/$mask" dev "$interface"
	[ -z "${mtu:-}" ] || ip link set "$interface" mtu "$mtu"
	ip route replace default via "${router%% *}" dev "$interface"
	;;
esac
{
	echo "event=$1"
	echo "ip=${ip:-}"
	echo "router=${router:-}"
	echo "dns=${dns:-}"
	echo "mtu=${mtu:-}"
	echo "lease=${lease:-}"
} >"$BNG_LEASE_FILE.new"
mv "$BNG_LEASE_FILE.new" "$BNG_LEASE_FILE"
echo "$1 ${ip:-}" >>"$BNG_LEASE_FILE.log"
