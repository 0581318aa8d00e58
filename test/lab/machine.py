# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The lab with the gateway's daemons as packages bring them: installed, and run by a
# systemd of their own, in a container whose network is the lab's gateway.
#
# Its root is this machine's, with a file system in memory laid over it: nothing is
# downloaded, and nothing of it outlives the container.
import os
import pathlib

import sandbox
from lab import BUILD, Lab, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
UNITS = ("bpfholder", "bngsync", "bng-controld")
SERVERS = {"bpfholder": ("holder", "holder.status"), "bngsync": ("bngsync", "sync.status"),
           "bng-controld": ("controld", "status")}
TARGET = "[Unit]\nDescription=What the lab boots\nWants=" + " ".join(f"{unit}.service" for unit in UNITS) + "\n"


class Machine(Lab):
    def __init__(self, config=None):
        super().__init__(config)
        try:
            self.root = self._make_root()
            self.install()
            self._boot()
        except BaseException:
            self.close()
            raise

    def _make_root(self):
        """Over this machine's root; a mount of it does not show what is mounted in there."""
        layers = self.directory / "layers"
        layers.mkdir()
        sandbox.run(["mount", "-t", "tmpfs", "tmpfs", str(layers)])
        for name in ("upper", "work", "root"):
            (layers / name).mkdir()
        sandbox.run(["mount", "-t", "overlay", "overlay", "-o",
                     f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work", str(layers / "root")])
        return layers / "root"

    def install(self, build=BUILD):
        """As `make install` does; the configuration is the lab's."""
        sandbox.run([str(TOP / "packaging" / "install.sh"), str(build), str(self.root), "/usr", "/etc", "/lib/systemd/system"])
        self.config_file = self.root / "etc/bng/bng.json"
        self.write_config()

    def _boot(self):
        (self.root / "etc/systemd/system/lab.target").write_text(TARGET)
        # No machine of that name and number but this one.
        (self.root / "etc/machine-id").write_text(os.urandom(16).hex() + "\n")
        self.container = self.start(
            self.gateway, "systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", "--register=no", "--keep-unit",
            "--capability=all", "--system-call-filter=bpf", f"--network-namespace-path=/run/netns/{self.gateway}",
            f"--machine={self.prefix}machine", "--link-journal=no", "--console=pipe",
            "systemd.unit=lab.target", "systemd.mask=systemd-sysctl.service", "systemd.show_status=no",
            env=dict(os.environ, SYSTEMD_NSPAWN_API_VFS_WRITABLE="network"), log="machine.log")
        self.leader = wait_for("the container's systemd", self._find_leader, timeout=60)
        self.state = pathlib.Path(f"/proc/{self.leader}/root/run/bng")
        for unit in UNITS:
            self.wait_unit(unit)

    def _find_leader(self):
        """Process 1 of the container, once it serves."""
        for child in pathlib.Path(f"/proc/{self.container.pid}/task/{self.container.pid}/children").read_text().split():
            try:
                numbers = pathlib.Path(f"/proc/{child}/status").read_text().partition("NSpid:")[2].partition("\n")[0].split()
            except OSError:
                continue
            if len(numbers) > 1 and numbers[-1] == "1" and os.path.exists(f"/proc/{child}/root/run/systemd/private"):
                return child
        return None

    # ---- inside ----

    def inside(self, *command, **options):
        return sandbox.run(["nsenter", "--target", self.leader, "--all", *map(str, command)], **options)

    def systemctl(self, *arguments, **options):
        return self.inside("systemctl", *arguments, **options)

    def property(self, unit, name):
        return self.systemctl("show", "--value", "--property", name, f"{unit}.service", check=False).stdout.strip()

    def journal(self, *units):
        return self.inside("journalctl", "--no-pager", "--output=cat", *(f"--unit={unit}.service" for unit in units)).stdout

    def log(self, name):
        return self.journal(name) if name in UNITS else super().log(name)

    def cli(self, *arguments, check=True, **options):
        return self.inside("bngcli", *arguments, check=check, **options)

    def call_unit(self, unit):
        server, method = SERVERS[unit]
        return self.call(method, server=server)

    def pid(self, unit):
        """In the container's own numbers."""
        return int(self.property(unit, "MainPID") or 0)

    def serves(self, unit, but=0):
        """It is ready and answers, in another process than `but`."""
        try:
            return self.property(unit, "ActiveState") == "active" and self.pid(unit) not in (0, but) and self.call_unit(unit)
        except (OSError, ValueError):
            return False

    def wait_unit(self, unit, but=0):
        try:
            return wait_for(unit, lambda: self.serves(unit, but), timeout=120)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.systemctl('status', unit, check=False).stdout}{self.journal(unit)[-6000:]}") from error
