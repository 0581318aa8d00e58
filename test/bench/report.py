# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# From the rounds to what people read: medians, ratios to bare, targets, a table,
# JSON and a plot.
import json
import platform
import statistics
import subprocess

import features

DIRECTIONS = ("up", "down")
FAULTS = ("lost", "reordered", "duplicated", "bad_ip_checksum", "bad_udp_checksum", "misdelivered", "remapped", "skipped")
ONE_QUEUE, TWO_QUEUES = "one queue, one CPU", "two queues, two CPUs"
OURS = ("holdfast", "direct")
TARGET_RATIO = {1000: 0.60, 100000: 0.52, 1000000: 0.36}
TARGET_ALL_FEATURES = {100000: 0.50, 1000000: 0.34}
TARGET_NFTABLES = 5
TARGET_SCALE = 1.8
TARGET_CREATED = 1.5


def machine():
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"cpu": model[0] if model else platform.machine(), "cpus": len(model), "kernel": platform.release()}


def median_row(case, kind, rounds):
    """rounds: for each round {direction: {"best": the meter's phase that counts, "all": every attempt}}."""
    row = {"case": case.name, "subscribers": case.subscribers, "flows": case.flows, "size": case.size,
           "queues": case.queues, "kind": kind}
    for direction in DIRECTIONS + ("both",):
        best = [done[direction]["best"] for done in rounds if direction in done]
        if not best:
            continue
        parts = DIRECTIONS if direction == "both" else (direction,)
        everything = [phase[part] for done in rounds if direction in done for phase in done[direction]["all"] for part in parts]
        row[direction] = {
            "mpps": statistics.median(sum(phase[part]["mpps"] for part in parts) for phase in best),
            "longest_gap_us": max(part["longest_gap_us"] for part in everything),
            **{name: sum(part[name] for part in everything) for name in ("sent", "received", "refused", *FAULTS)},
        }
    return row


def add_ratios(rows):
    bare = {row["case"]: row for row in rows if row["kind"] == "bare"}
    for row in rows:
        bound = bare.get(row["case"])
        for direction in DIRECTIONS + ("both",):
            if direction not in row or not bound or not bound[direction]["mpps"] or not row[direction]["mpps"]:
                continue
            mine, other = row[direction]["mpps"], bound[direction]["mpps"]
            row[direction]["ratio"] = mine / other
            row[direction]["added_ns"] = row["queues"] * (1000 / mine - 1000 / other)


def faults(rows):
    """Text for everything that must be 0 and is not."""
    return [f"{row['case']}, {row['kind']}, {direction}: {fault} {row[direction][fault]}"
            for row in rows for direction in DIRECTIONS + ("both",) if direction in row
            for fault in FAULTS if row[direction][fault]]


def _goal(name, value, target):
    return {"name": name, "value": value, "target": target, "met": value >= target}


def goals(rows, created):
    """The targets that these rows can say something about."""
    found = []
    by = {(row["case"], row["kind"]): row for row in rows}
    for row in rows:
        if row["kind"] == f"holdfast+{features.ALL}" and row["flows"] in TARGET_ALL_FEATURES:
            found += [_goal(f"{row['case']}: {row['kind']} {direction} to bare", row[direction]["ratio"],
                            TARGET_ALL_FEATURES[row["flows"]]) for direction in DIRECTIONS]
        if row["kind"] not in OURS:
            continue
        plain = row["size"] == "64" and "queue" not in row["case"]
        for direction in DIRECTIONS:
            if plain and row["flows"] in TARGET_RATIO and "ratio" in row[direction]:
                found.append(_goal(f"{row['case']}: {row['kind']} {direction} to bare", row[direction]["ratio"],
                                   TARGET_RATIO[row["flows"]]))
            other = by.get((row["case"], "nftables"))
            if plain and other and row["flows"] == 100000 and other[direction]["mpps"]:
                found.append(_goal(f"{row['case']}: {row['kind']} {direction} to nftables",
                                   row[direction]["mpps"] / other[direction]["mpps"], TARGET_NFTABLES))
            single = by.get((row["case"].replace(TWO_QUEUES, ONE_QUEUE), row["kind"]))
            if row["queues"] == 2 and single and single is not row:
                found.append(_goal(f"{row['case']}: {row['kind']} {direction} to one queue",
                                   row[direction]["mpps"] / single[direction]["mpps"], TARGET_SCALE))
    for row in created:
        if row["kind"] in OURS and row["gateways"] > 1:
            found.append(_goal(f"{row['case']}: mappings created, M/s", row["mpps"], TARGET_CREATED))
    return found


def feature_costs(rows):
    """Off and on: what each feature of features.py adds to a packet, from the same rounds."""
    without = {row["case"]: row for row in rows if row["kind"] == "holdfast"}
    lines = []
    for row in rows:
        _, on, name = row["kind"].partition("+")
        off = without.get(row["case"])
        if on and off:
            costs = " ".join(f"{direction} {1000 / row[direction]['mpps'] - 1000 / off[direction]['mpps']:+6.0f}"
                             for direction in DIRECTIONS)
            lines.append(f"  {name:<12} {costs}  {row['case']}")
    return "\n".join(lines)


def _cell(row, direction):
    if direction not in row:
        return f"{'':>24}"
    value = row[direction]
    ratio = f"{value['ratio']:5.2f} {value['added_ns']:+7.0f} ns" if "ratio" in value else ""
    return f"{value['mpps']:7.2f} {ratio:>16}"


def table(rows):
    head = f"{'case':<60} {'gateway':<18} {'up Mpps  bare   added':>24} {'down Mpps  bare   added':>24} " \
           f"{'both Mpps  bare   added':>24} {'lost':>6} {'gap us':>8}"
    lines = [head, "-" * len(head)]
    last = None
    for row in rows:
        shown = [row[direction] for direction in DIRECTIONS + ("both",) if direction in row]
        lost, gap = sum(value["lost"] for value in shown), max(value["longest_gap_us"] for value in shown)
        name = row["case"] if row["case"] != last else ""
        last = row["case"]
        lines.append(f"{name:<60} {row['kind']:<18} {_cell(row, 'up')} {_cell(row, 'down')} {_cell(row, 'both')} "
                     f"{lost:>6} {gap:>8.0f}")
    return "\n".join(lines)


def goal_lines(found):
    return "\n".join(f"  {'met   ' if goal['met'] else 'MISSED'} {goal['value']:6.2f} (target {goal['target']:.2f})  {goal['name']}"
                     for goal in found)


def plot(rows, folder):
    """Ratio to bare of the 64-byte, one-queue cases, up and down side by side: ratio.svg."""
    shown = [row for row in rows if row["size"] == "64" and row["kind"] != "bare" and "queue" not in row["case"]
             and all("ratio" in row[direction] for direction in DIRECTIONS)]
    kinds = [kind for kind in ("holdfast", "direct", "kernel", "nftables") if any(row["kind"] == kind for row in shown)]
    cases = list(dict.fromkeys(row["case"] for row in shown))
    if not shown:
        return None
    by = {(row["case"], row["kind"]): row for row in shown}
    lines = ["case " + " ".join(f'"{kind} {direction}"' for kind in kinds for direction in DIRECTIONS)]
    for case in cases:
        cells = [f"{by[case, kind][direction]['ratio']:.4f}" if (case, kind) in by else "NaN"
                 for kind in kinds for direction in DIRECTIONS]
        label = case.split(", ", 2)
        lines.append('"' + "\\n".join(label[:2]) + '" ' + " ".join(cells))
    (folder / "ratio.dat").write_text("\n".join(lines) + "\n")
    script = f"""
set terminal svg size 1000,480 font "sans,12" background "white"
set output "{folder / 'ratio.svg'}"
set title "64-byte packets, one core: throughput as a ratio to an XDP program that only redirects"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set bmargin 4
set yrange [0:1]
set ytics 0.1
set grid ytics
set key outside right
plot for [i=2:{1 + 2 * len(kinds)}] "{folder / 'ratio.dat'}" using i:xtic(1) title columnheader(i)
"""
    (folder / "ratio.gnuplot").write_text(script)
    subprocess.run(["gnuplot", str(folder / "ratio.gnuplot")], check=True)
    return folder / "ratio.svg"


def write_json(folder, result):
    path = folder / "result.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path
