#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# install.sh BUILD DESTDIR PREFIX SYSCONFDIR UNITDIR: copies a release build to
# where the systemd units expect it. An existing configuration stays as it is,
# nothing is restarted. The bng-controld that was there, and its object, are kept:
# they take over when the new one does not start.
set -eu

build=$1 root=$2 prefix=$3 sysconfdir=$4 unitdir=$5
cd "$(dirname "$0")/.."

install -d "$root$prefix/sbin" "$root$prefix/bin" "$root$prefix/lib/bng" "$root$unitdir" "$root$sysconfdir/bng"
# What cannot even be run here (a library is missing) counts no failed starts.
[ -n "$root" ] || "$build/bin/bng-controld" --version >/dev/null

# Not one that did not start (its failures are written down), nor the same again.
previous="$root$prefix/lib/bng/previous" there="$root$prefix/sbin/bng-controld"
if [ -e "$there" ] && [ ! -e "$root/run/bng/control/start.json" ] && ! cmp -s "$there" "$build/bin/bng-controld"; then
	install -d "$previous"
	for file in "$there" "$root$prefix/lib/bng/bng.bpf.o"; do
		install -p -m "$(stat -c %a "$file")" "$file" "$previous/"
	done
fi

install -m 755 "$build/bin/bpfholder" "$build/bin/bng-controld" "$build/bin/bngsync" "$root$prefix/sbin/"
install -m 755 "$build/bin/bngcli" "$root$prefix/bin/"
install -m 755 packaging/controld-start "$root$prefix/lib/bng/"
# Bridges between layouts that are there already stay: an older version goes back by them.
for object in "$build/bpf/bng.bpf.o" "$build"/bpf/bng-bridge*.bpf.o; do
	install -m 644 "$object" "$root$prefix/lib/bng/"
	# Made by who builds (minisign), for a bpfholder with --key.
	[ ! -e "$object.minisig" ] || install -m 644 "$object.minisig" "$root$prefix/lib/bng/"
done
install -D -m 644 -t "$root$prefix/include/holdfast" lib/holdfast/group.h
install -D -m 644 -t "$root$prefix/lib" "$build/lib/libholdfast.a"
for unit in packaging/systemd/*.service; do
	sed -e "s|/usr/sbin/|$prefix/sbin/|g" -e "s|/usr/lib/bng/|$prefix/lib/bng/|g" \
		-e "s|/etc/bng/|$sysconfdir/bng/|g" "$unit" >"$root$unitdir/${unit##*/}"
	chmod 644 "$root$unitdir/${unit##*/}"
done
[ -e "$root$sysconfdir/bng/bng.json" ] || install -m 644 packaging/bng.json "$root$sysconfdir/bng/bng.json"
install -D -m 644 -t "$root$prefix/share/bng/radius" packaging/radius/dictionary packaging/radius/dictionary.holdfast
install -D -m 644 -t "$root$prefix/share/bng/golden" test/golden/*.json test/golden/*.pcap
install -D -m 644 packaging/completion/bngcli "$root$prefix/share/bash-completion/completions/bngcli"
install -D -m 644 packaging/man/bngcli.8 "$root$prefix/share/man/man8/bngcli.8"

echo "installed. Edit $sysconfdir/bng/bng.json, then: systemctl daemon-reload && systemctl enable --now bpfholder bngsync bng-controld"
