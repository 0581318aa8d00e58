# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The house rules that a program can check: licence, layout, length, who may
# include what, headers that stand alone, scripts that ShellCheck accepts.
import re
import subprocess

import pytest

import lint

LICENCE = "SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only"
# JSON has no comments, and the configuration no member for one.
NO_LICENCE_LINE = {"LICENSE", "packaging/bng.json"}
# Recorded inputs: a licence line would change what they are.
DATA = re.compile(r"^test/(fuzz/corpus/|.*\.(pcap|png|bin|xz)$)")
MAX_FUNCTION = 80
MAX_FILE = 600

# Libraries that are not part of libc or the kernel's headers, and who may use them.
LIBRARIES = {
    "bpf/": "libbpf", "xdp/": "libxdp", "event2/": "libevent", "event.h": "libevent", "jansson.h": "jansson",
    "sqlite3.h": "sqlite", "libsmartcols/": "smartcols", "openssl/": "openssl", "check.h": "check", "fixbuf/": "libfixbuf",
    "zlib.h": "zlib",
}
# folder: (libraries it may use, project folders it may include)
MAY_INCLUDE = {
    "dataplane/abi": ({}, {"dataplane/abi"}),
    "dataplane": ({"libbpf"}, {"dataplane"}),
    "lib": ({"jansson", "libevent"}, {"lib"}),
    "lib/bpf": ({"libbpf", "libxdp", "jansson"}, {"lib"}),
    "lib/sign": ({"openssl"}, {"lib"}),
    "holder": ({"libbpf", "libxdp", "jansson", "libevent"}, {"holder", "lib", "dataplane/abi/version.h"}),
    "bngsync": ({"jansson", "libevent", "sqlite"}, {"bngsync", "lib"}),
    "controld": ({"jansson", "libevent", "openssl"}, {"controld", "lib", "dataplane/abi", "bngsync/client.h"}),
    "controld/blocklog": ({"jansson", "libevent", "libfixbuf"}, {"controld", "lib", "dataplane/abi"}),
    "controld/maps": ({"libbpf", "jansson", "libevent"}, {"controld", "lib", "dataplane/abi"}),
    "cli": ({"jansson", "smartcols", "zlib"}, {"cli", "lib"}),
}
# Folders of controld that every feature may use; the others never see each other.
SHARED_BY_FEATURES = {"config", "ctl", "maps", "session", "punt", "startup", "radius", "sync"}


def rule_for(path):
    folders = [folder for folder in MAY_INCLUDE if str(path).startswith(folder + "/")]
    return max(folders, key=len) if folders else None


def library_of(name):
    return next((library for prefix, library in LIBRARIES.items() if name.startswith(prefix)), None)


def allowed(folder, system, name):
    libraries, folders = MAY_INCLUDE[folder]
    if folder == "dataplane/abi" and system:
        return name == "linux/types.h"
    if system:
        return library_of(name) is None or library_of(name) in libraries
    return any(name == part or name.startswith(part + "/") for part in folders)


def test_every_file_names_its_licence():
    missing = [str(path) for path in lint.project_files()
               if str(path) not in NO_LICENCE_LINE and not DATA.match(str(path))
               and LICENCE not in "\n".join(lint.read(path).splitlines()[:5])]
    assert missing == []


def test_clang_format_changes_nothing():
    files = [str(path) for path in lint.with_suffix(".c", ".h")]
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], cwd=lint.TOP, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in result.stderr.splitlines() if "error:" in line})
    assert wrong == [] and result.returncode == 0, result.stderr[:2000]


def test_functions_and_files_stay_short():
    long = []
    for path in lint.with_suffix(".c", ".h"):
        long += [f"{path}:{line} {name}: {length} lines" for name, line, length in lint.c_functions(path)
                 if length > MAX_FUNCTION]
    for path in set(lint.with_suffix(".py") + lint.scripts("python")):
        long += [f"{path}:{line} {name}: {length} lines" for name, line, length in lint.python_functions(path)
                 if length > MAX_FUNCTION]
    for path in lint.with_suffix(".c", ".h", ".py", ".sh"):
        length = len(lint.read(path).splitlines())
        if length > MAX_FILE:
            long.append(f"{path}: {length} lines")
    assert long == []


def test_holder_is_small_enough_to_read_in_one_sitting():
    lines = sum(len(lint.read(path).splitlines()) for path in lint.with_suffix(".c", ".h") if path.parts[0] == "holder")
    assert lines < 3600


def test_includes_follow_the_design():
    wrong = []
    for path in lint.with_suffix(".c", ".h"):
        folder = rule_for(path)
        if folder is None:
            continue
        wrong += [f"{path} includes {name}" for system, name in lint.includes(path) if not allowed(folder, system, name)]
    assert wrong == []


def test_features_of_controld_do_not_know_each_other():
    wrong = []
    for path in lint.with_suffix(".c", ".h"):
        if path.parts[0] != "controld" or len(path.parts) < 3 or path.parts[1] in SHARED_BY_FEATURES:
            continue
        for system, name in lint.includes(path):
            parts = name.split("/")
            if not system and parts[0] == "controld" and len(parts) > 2 \
                    and parts[1] not in SHARED_BY_FEATURES | {path.parts[1]}:
                wrong.append(f"{path} includes {name}")
    assert wrong == []


def test_only_controld_maps_touches_bpf_maps():
    wrong = [str(path) for path in lint.with_suffix(".c", ".h")
             if path.parts[0] in ("controld", "cli", "lib") and path.parts[1] != "maps" and path.parts[:2] != ("lib", "bpf")
             and re.search(r"\bbpf_map_\w+\s*\(", lint.read(path))]
    assert wrong == []


def test_only_the_store_knows_sqlite():
    """Nothing above bngsync/store.h may come to rely on one machine's database."""
    users = {str(path) for path in lint.with_suffix(".c", ".h") if path.parts[0] != "test"
             for _, name in lint.includes(path) if name in ("sqlite3.h", "bngsync/store_sql.h")}
    assert users == {"bngsync/store.c", "bngsync/store_open.c", "bngsync/store_sql.h"}


def test_no_abi_outside_the_gateway():
    wrong = [str(path) for path in lint.with_suffix(".c", ".h") if path.parts[0] in ("lib", "cli", "bngsync")
             for _, name in lint.includes(path) if name.startswith("dataplane/")]
    assert wrong == []


@pytest.mark.parametrize("compiler", [
    ["gcc", "-std=c17"],
    ["clang", "-std=gnu17", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu", "-I/usr/include/aarch64-linux-gnu"],
], ids=["gcc", "clang-bpf"])
def test_abi_headers_stand_alone(compiler):
    headers = [path for path in lint.with_suffix(".h") if str(path).startswith("dataplane/abi/")]
    assert headers
    for header in headers:
        command = [*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", str(lint.TOP), "-x", "c", "-"]
        source = f'#include "{header}"\n#include "{header}"\n'
        result = subprocess.run(command, input=source, capture_output=True, text=True)
        assert result.returncode == 0, f"{header}: {result.stderr}"


def test_shell_scripts_pass_shellcheck():
    files = [str(path) for path in lint.scripts(r"\b(ba|da)?sh\b")]
    assert files
    result = subprocess.run(["shellcheck", *files], cwd=lint.TOP, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_nothing_is_left_unfinished_or_skipped():
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|pytest\.skip|mark\.skip|mark\.xfail|importorskip")
    here = "test/lint/test_lint.py"
    wrong = [f"{path}:{number}" for path in lint.with_suffix(".c", ".h", ".py", ".sh") if str(path) != here
             for number, line in enumerate(lint.read(path).splitlines(), 1) if marks.search(line)]
    assert wrong == []


def test_no_path_of_a_developers_machine():
    wrong = [str(path) for path in lint.project_files() if str(path) != "test/lint/test_lint.py"
             and not DATA.match(str(path)) and re.search(r"(^|[\s\"'=(])/(work|home|root)/\w", lint.read(path))]
    assert wrong == []
