# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What of this machine the one under QEMU needs to run the lab (test/lab) with the real
# daemons: programs, the Python modules that gateway.py imports, and their libraries.
import os
import pathlib
import re
import shutil
import sys

import boot

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCE = "source"  # where the repository's files are there
PROGRAMS = ("ethtool", "ip", "nsenter", "setpriv", "sysctl", "udhcpc")
BUILT = ("bin/bng-controld", "bin/bng-meter", "bin/bngcli", "bin/bngsync", "bin/bpfholder", "bin/lab-wire",
         "bpf/bng.bpf.o", "bpf/bng-bridge.bpf.o", "bpf/holder_deep.bpf.o", "bpf/lab_vlan.bpf.o", "bpf/meter.bpf.o")
MODULES = ("net/llc/llc.ko", "net/802/stp.ko", "net/bridge/bridge.ko", "drivers/net/veth.ko")
ENVIRONMENT = {"BNG_BUILD": f"/{SOURCE}/build", "PYTHONPATH": f"/{SOURCE}/test/lab", "BNG_TEST_PATIENCE_S": "600"}
IMPORTED = """
import sys
import gateway
for module in list(sys.modules.values()):
    for name in ("__file__", "__cached__"):
        print(getattr(module, name, None) or "")
"""


def python_modules():
    """Files of the system's Python that are loaded by now, with their byte code, which goes by their times."""
    folders = ":".join(str(TOP / "test" / name) for name in ("lab", "kernel"))
    said = boot.run(sys.executable, "-c", IMPORTED, env=dict(os.environ, PYTHONPATH=folders))
    paths = (pathlib.Path(line) for line in set(said.split("\n")) if line.startswith("/usr/lib"))
    return {str(path).lstrip("/"): path for path in paths if path.exists()}


def files(build):
    """Of the system and of the repository; {name there: file here}."""
    found = {"usr/bin/python3": pathlib.Path(sys.executable).resolve()}
    found |= {shutil.which(name).lstrip("/"): pathlib.Path(shutil.which(name)).resolve() for name in PROGRAMS}
    found |= python_modules()
    found |= {f"{SOURCE}/build/{name}": build / name for name in BUILT}
    dynamic = [path for path in found.values() if path.suffix not in (".py", ".pyc", ".o")]
    scripts = [*(TOP / "test" / "lab").glob("*.py"), TOP / "test/lab/udhcpc.sh", TOP / "test/kernel/gateway.py",
               *(TOP / "test" / "golden").glob("*.*")]
    found |= {f"{SOURCE}/{path.relative_to(TOP)}": path for path in scripts}
    return found | boot.libraries(*dynamic)


def accounts():
    """root's and bng's lines."""
    return {name: "".join(re.findall(r"(?m)^(?:root|bng):.*\n", pathlib.Path(f"/{name}").read_text()))
            for name in ("etc/passwd", "etc/group")}


def command():
    settings = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
    return f"{settings} python3 /{SOURCE}/test/kernel/gateway.py 2>&1"
