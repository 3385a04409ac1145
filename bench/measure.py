#!/usr/bin/env python3
"""Measures commands side by side and prints the table of the ratios.

    measure.py reads TRACE                    the files and directories that an audit read, from its strace
    measure.py live DIRECTORY                 on the demo machine: the audit, the usual auditor, the bare looks
    measure.py gate DIRECTORY                 on that machine: the gate, redis-cli, and the gate that people write
    measure.py many GOLDEN BARE SMALL LARGE   two trees of many.py
    measure.py table FILE...                  the table, from what live and many printed (JSON)

The commands of one comparison take turns, so that a busy moment of the machine meets all of them. A time is
the wall clock from spawn to exit with the output thrown away; figures are medians.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time

RUNS = int(os.environ.get("RUNS", "15"))
UNITS = ["quantum-backend.service", "quantum-ai-engine.service", "quantum-execution.service",
         "quantum-rl-agent.service", "redis-server.service"]


def once(command):
    """Seconds, peak memory in KiB, processor seconds and exit code of one run."""
    nothing = os.open(os.devnull, os.O_RDWR)
    turned = [(os.POSIX_SPAWN_DUP2, nothing, number) for number in (0, 1, 2)]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=turned)
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    os.close(nothing)
    return seconds, used.ru_maxrss, used.ru_utime + used.ru_stime, os.waitstatus_to_exitcode(status)


def side_by_side(commands, runs=RUNS):
    """Medians of each command; the first round only warms the caches."""
    taken = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            run = once(command)
            if turn:
                taken[name].append(run)
    return {name: summary(runs) for name, runs in taken.items()}


def summary(runs):
    seconds, memory, processor, codes = zip(*runs)
    return {
        "seconds": statistics.median(seconds),
        "least": min(seconds),
        "processor": statistics.median(processor),
        "kib": max(memory),
        "codes": sorted(set(codes)),
    }


def live(directory):
    """All of an audit, and the rules that need files and Redis alone."""
    auditor = ["python3", f"{directory}/auditor.py"]
    bare = [f"{directory}/bare"]
    redis = ["--redis", "127.0.0.1:6379"]
    return {
        "live": side_by_side({
            "golden": ["golden", "audit"],
            "auditor": auditor,
            "bare": [*bare, f"{directory}/all", *redis, "--bus", *UNITS],
        }),
        "files": side_by_side({
            "golden": ["golden", "audit", *open(f"{directory}/rules").read().split()],
            "auditor": [*auditor, "--no-systemctl"],
            "bare": [*bare, f"{directory}/few", *redis],
        }),
        # A script without a line: the wrapper's share is what is left when the interpreter's is taken off.
        "run": side_by_side({
            "golden": ["golden", "-q", "run", "ai-engine", "ops/nothing.py"],
            "direct": ["/opt/quantum/venvs/ai-engine/bin/python", "/home/qt/quantum_trader/ops/nothing.py"],
            "bash": [f"{directory}/wrapper.sh", "ai-engine", "ops/nothing.py"],
        }, 2 * RUNS),
        "version": side_by_side({"golden": ["golden", "--version"], "nothing": ["true"]}),
    }


STREAM = "quantum:stream:trade.intent"


def gate(directory):
    """The newest 2,000 and 100,000 events."""
    python = "/opt/quantum/venvs/ai-engine/bin/python"
    figures = {}
    for count in (2_000, 100_000):
        figures[f"gate {count}"] = side_by_side({
            "golden": ["golden", "--contract", f"{directory}/gate-{count}.toml", "gate", "--no-report"],
            "redis-cli": ["redis-cli", "--raw", "XREVRANGE", STREAM, "+", "-", "COUNT", str(count)],
            "python": [python, f"{directory}/gate.py", "judge", str(count)],
        })
        figures[f"gate {count}"]["golden"]["kib"] = peak(
            directory, "golden", "--contract", f"{directory}/gate-{count}.toml", "gate", "--no-report")
    return figures


def peak(directory, *command):
    """Peak memory in KiB. What this python holds would count for its own children, too (getrusage(2), ru_maxrss)."""
    return int(subprocess.run([f"{directory}/bare", "--peak", *command], stdout=subprocess.PIPE, check=True).stdout)


def reads(trace):
    """What was opened for reading: not what was only looked at, nor the program's own libraries."""
    seen = {}
    opened = re.compile(r'open(?:at2?)?\((?:AT_FDCWD|\d+)[^,]*, "([^"]+)", (.*)\) = \d')
    for line in open(trace, encoding="utf-8", errors="replace"):
        match = opened.search(line)
        if not match or "O_PATH" in match[2] or match[1].startswith(("/sys/", "/proc/self", "/dev/")):
            continue
        path = match[1] if match[1].startswith("/") else f"/{match[1]}"
        if re.search(r"/ld\.so|\.so(\.\d+)*$", path) or "/etc/golden" in path:
            continue
        seen[path + "/" if "O_DIRECTORY" in match[2] else path] = True
    return "".join(f"{path}\n" for path in seen)


READ_ALL = "import sys\nfor path in open(sys.argv[1]): open(path[:-1], 'rb').read()"


def many(golden, bare, small, large):
    def audit(tree):
        return [golden, "audit", "--root", f"{tree}/root", "--contract", f"{tree}/golden.toml"]

    return {
        "many": side_by_side({
            "golden": audit(large),
            "small": audit(small),
            "bare": [bare, f"{large}/files"],
            "cat": ["sh", "-c", f"xargs cat <{large}/files >/dev/null"],
            "python": [sys.executable, "-c", READ_ALL, f"{large}/files"],
        }, max(5, RUNS // 2)),
    }


def ratio(figures, one, other):
    return figures[one]["seconds"] / figures[other]["seconds"]


def times(value, least, aim):
    """At most so many times as long."""
    return f"{value:.2f} x", f"{least} x", f"{aim} x", met(value <= least), met(value <= aim)


def faster(value, least):
    return f"{value:.1f} x faster", f"{least} x faster", "-", met(value >= least), "-"


def met(good):
    return "met" if good else "missed"


def rows(figures):
    if "live" in figures:
        figure = figures["live"]
        yield "four services, live: against the usual auditor", *faster(ratio(figure, "auditor", "golden"), 4)
        value = ratio(figure, "golden", "bare")
        yield "  against bare looks with the needed properties", f"{value:.2f} x", "-", "1.3 x", "-", met(value <= 1.3)
    if "files" in figures:
        figure = figures["files"]
        yield "only files and Redis: against the usual auditor", *faster(ratio(figure, "auditor", "golden"), 15)
        value = ratio(figure, "golden", "bare")
        yield "  against bare reads and one PING", f"{value:.2f} x", "-", "2 x", "-", met(value <= 2)
    if "many" in figures:
        figure = figures["many"]
        yield "10,000 services: against reading each file once", *times(ratio(figure, "golden", "bare"), 3, 1)
        yield "  against cat of them", f"{ratio(figure, 'golden', 'cat'):.2f} x", "-", "-", "-", "-"
        yield "  against reading them in Python", f"{ratio(figure, 'golden', 'python'):.2f} x", "-", "-", "-", "-"
        value = ratio(figure, "golden", "small")
        yield "  4 times the services take", f"{value:.2f} x", "linear", "4 x", met(value <= 4.6), met(value <= 4)
        memory = figure["golden"]["kib"] / 1024
        yield "  peak memory", f"{memory:.0f} MiB", "250 MB", "-", met(memory * 1.048576 < 250), "-"
        cores = figure["golden"]["processor"] / figure["golden"]["seconds"]
        yield "  processors busy", f"{cores:.2f}", "-", "-", "-", "-"
    for count in (2_000, 100_000):
        if f"gate {count}" in figures:
            figure = figures[f"gate {count}"]
            yield f"gate on {count:,} events: against redis-cli", *times(ratio(figure, "golden", "redis-cli"), 0.5, 0.3)
            value = ratio(figure, "python", "golden")
            yield "  against redis-py with numpy", f"{value:.1f} x faster", "-", "-", "-", "-"
            memory = figure["golden"]["kib"] / 1024
            yield "  peak memory", f"{memory:.1f} MiB", "16 MB", "-", met(memory * 1.048576 < 16), "-"
    if "run" in figures:
        direct = figures["run"]["direct"]["seconds"]
        value = (figures["run"]["golden"]["seconds"] - direct) * 1000
        usual = (figures["run"]["bash"]["seconds"] - direct) * 1000
        yield ("golden run adds to a call of the venv's python", f"{value:.1f} ms", "4 ms", "1.5 ms",
               met(value < 4), met(value < 1.5))
        yield "  a bash wrapper with redis-cli adds", f"{usual:.1f} ms", "-", "-", "-", "-"
    if "version" in figures:
        value = figures["version"]["golden"]["seconds"] * 1000
        floor = figures["version"]["nothing"]["seconds"] * 1000
        yield (f"golden --version ({value / floor:.1f} x of true)", f"{value:.1f} ms", "5 ms", "2 ms",
               met(value < 5), met(value < 2))


def table(paths):
    figures = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            figures |= json.load(file)
    heading = ("what", "measured", "at least", "aim", "at least is", "aim is")
    lines = [heading, *rows(figures)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heading))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    text.insert(1, "-" * max(map(len, text)))
    if "live" in figures and figures["live"]["golden"]["codes"] != [0]:
        text.append(f"note: the live audit ended with {figures['live']['golden']['codes']}, not 0")
    if "files" in figures and figures["files"]["golden"]["codes"] != [0]:
        text.append(f"note: the audit of files ended with {figures['files']['golden']['codes']}, not 0")
    if "run" in figures and any(figure["codes"] != [0] for figure in figures["run"].values()):
        text.append(f"note: a wrapper ended with {[figure['codes'] for figure in figures['run'].values()]}, not 0")
    return "\n".join(text) + "\n"


def main(verb="", *rest):
    match verb:
        case "reads":
            sys.stdout.write(reads(*rest))
        case "live":
            json.dump(live(*rest), sys.stdout)
        case "gate":
            json.dump(gate(*rest), sys.stdout)
        case "many":
            json.dump(many(*rest), sys.stdout)
        case "table":
            sys.stdout.write(table(rest))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
