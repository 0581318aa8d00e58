# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make install` puts everything where the units look for it, systemd accepts
# the units, and an installed configuration is never overwritten.
import os
import pathlib
import re
import shutil
import stat

import pytest

import sandbox
from lab import Lab

TOP = pathlib.Path(__file__).resolve().parents[2]
FILES = {
    "usr/sbin/bpfholder": 0o755, "usr/sbin/bng-controld": 0o755, "usr/sbin/bngsync": 0o755, "usr/bin/bngcli": 0o755,
    "usr/lib/bng/bng.bpf.o": 0o644, "usr/lib/bng/bng-bridge.bpf.o": 0o644, "usr/lib/bng/controld-start": 0o755,
    "etc/bng/bng.json": 0o644,
    "usr/include/holdfast/group.h": 0o644, "usr/lib/libholdfast.a": 0o644,
    "lib/systemd/system/bpfholder.service": 0o644, "lib/systemd/system/bng-controld.service": 0o644,
    "lib/systemd/system/bngsync.service": 0o644,
    "usr/share/bng/radius/dictionary": 0o644, "usr/share/bng/radius/dictionary.holdfast": 0o644,
    "usr/share/bash-completion/completions/bngcli": 0o644, "usr/share/man/man8/bngcli.8": 0o644,
    **{f"usr/share/bng/golden/{path.name}": 0o644 for path in (TOP / "test" / "golden").iterdir() if path.suffix in (".json", ".pcap")},
}


def install(root):
    sandbox.run([str(TOP / "packaging" / "install.sh"), os.environ["BNG_BUILD"], str(root), "/usr", "/etc",
                 "/lib/systemd/system"])


@pytest.fixture
def root(tmp_path):
    install(tmp_path)
    return tmp_path


def test_files_and_modes(root):
    found = {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()}
    assert found == FILES


PROGRAM = """
#include <holdfast/group.h>
int main(void)
{
	struct holdfast holder;
	return holdfast_open(&holder, "/nonexistent/socket") < 0 && holder.error[0] ? 0 : 1;
}
"""


@pytest.mark.parametrize("compiler", [["gcc", "-x", "c", "-std=c99"], ["g++", "-x", "c++"]], ids=["c", "c++"])
def test_a_program_is_built_with_the_installed_header_and_library(root, tmp_path, compiler):
    program = tmp_path / "program"
    # With sanitizers, as the library under test was built.
    sandbox.run([*compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{root}/usr/include", "-", "-x", "none",
                 f"-L{root}/usr/lib", "-lholdfast", "-fsanitize=address,undefined", "-o", str(program)], input=PROGRAM)
    sandbox.run([str(program)])


def test_configuration_of_the_operator_stays(root):
    config = root / "etc/bng/bng.json"
    config.write_text("mine")
    install(root)
    assert config.read_text() == "mine"


def test_the_version_before_is_kept(root):
    installed, kept = root / "usr/sbin/bng-controld", root / "usr/lib/bng/previous"
    install(root)
    assert not kept.exists()  # the same again
    new = installed.read_bytes()
    installed.write_bytes(b"older")
    (root / "usr/lib/bng/bng.bpf.o").write_bytes(b"older object")
    install(root)
    assert installed.read_bytes() == new
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == {
        "bng-controld": b"older", "bng.bpf.o": b"older object"}
    assert stat.S_IMODE((kept / "bng-controld").stat().st_mode) == 0o755
    installed.write_bytes(b"does not start")
    (root / "run/bng/control").mkdir(parents=True)
    (root / "run/bng/control/start.json").write_text("{}")
    install(root)
    assert installed.read_bytes() == new and (kept / "bng-controld").read_bytes() == b"older"


def test_shipped_configuration_is_accepted(root):
    sandbox.run([str(root / "usr/sbin/bng-controld"), "--check", str(root / "etc/bng/bng.json")])


def test_systemd_accepts_the_units(root):
    (root / "bin").mkdir()
    shutil.copy("/bin/kill", root / "bin" / "kill")
    for program in ("bpfholder", "bng-controld", "bngsync"):
        assert (root / "usr/sbin" / program).exists()
    result = sandbox.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}",
                          "bpfholder.service", "bng-controld.service", "bngsync.service"], check=False)
    assert result.returncode == 0, result.stderr


def unit(name):
    text = (TOP / "packaging/systemd" / name).read_text()
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["bng-controld.service", "bngsync.service"])
def test_control_plane_has_no_privilege(name):
    settings = unit(name)
    assert (settings["User"], settings["NoNewPrivileges"]) == ("bng", "yes")
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == ""


def test_capabilities_of_the_holders_unit_suffice():
    names = unit("bpfholder.service")["CapabilityBoundingSet"].lower().replace("cap_", "").split()
    keep = ["setpriv", "--no-new-privs", "--bounding-set", ",".join(["-all"] + [f"+{name}" for name in names])]
    with Lab() as lab:
        lab.start_holder(through=keep)
        lab.start_controld()
        assert len(lab.programs()) == 5
        assert "hitless" in lab.cli("issu", "upgrade", lab.object).stdout.splitlines()[-1]
        lab.holder.kill()
        lab.reap(lab.holder)
        lab.start_holder(through=keep)
        assert len(lab.programs()) == 5


def test_nothing_stops_the_holder():
    settings = unit("bpfholder.service")
    assert settings["Restart"] == "always" and int(settings["FileDescriptorStoreMax"]) > 0
    assert settings["RuntimeDirectoryPreserve"] == "yes"
    control = unit("bng-controld.service")
    # How long a start may take is bng-controld's to say, and it counts what fails itself.
    assert (control["Type"], control["TimeoutStartSec"], control["Restart"]) == ("notify", "infinity", "always")
    assert control["StartLimitIntervalSec"] == "0" and "ExecStartPre" not in control
    assert not {"Requires", "BindsTo", "PartOf"} & (set(control) | set(settings))
    mount_namespace = {"PrivateTmp", "ProtectSystem", "ProtectHome", "PrivateDevices", "PrivateMounts", "ReadWritePaths",
                       "ReadOnlyPaths", "ProtectKernelTunables", "ProtectControlGroups", "TemporaryFileSystem"}
    assert not mount_namespace & set(settings)
