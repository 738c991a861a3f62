#!/usr/bin/env python3
"""The compilers of Mesa's drivers for NVIDIA, AMD and Apple GPUs, on a machine without any of them.

    python3 tests/noop_devices.py            print the table of BENCHMARKS.md
    python3 tests/noop_devices.py --write    write it there
    python3 tests/noop_devices.py --check    fail on a shader that does not compile, and on spills to memory and dispatches of
                                             a step that the table does not have

Mesa's no-op devices accept every submission and compute nothing: each shader goes through the compiler of the chip
(registers, instructions, spills), and a step takes the time of the host alone. Mesa comes from Debian's packages, with
the C library that it needs, into a folder of its own; nothing is installed. Needs apt-get, dpkg and a network the first
time; compile_shaders of a debug or release build; and for the steps, fastvae of a release build (the devices' fences do not
work for debug builds). What cannot be run is named, and does not fail.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "BENCHMARKS.md"
BEGIN, END = "<!-- no-op devices: begin -->", "<!-- no-op devices: end -->"
CACHE = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
MESA = Path(os.environ.get("FASTVAE_TOOLS") or Path(CACHE) / "fastvae") / "mesa"
LIBRARIES = MESA / "root/usr/lib/x86_64-linux-gnu"
PACKAGES = "mesa-vulkan-drivers/trixie-backports mesa-drm-shim/trixie-backports libc6 libgcc-s1 libstdc++6 libvulkan1"
# Name, driver, shim, and what makes the driver print the statistics of a shader.
DEVICES = [
    ("NVIDIA GA102, NVK", "nouveau", "nouveau", {"NOUVEAU_CHIPSET": "172", "NAK_DEBUG": "print"}),
    ("AMD Navi 31, RADV", "radeon", "amdgpu", {"AMDGPU_GPU_ID": "navi31", "RADV_DEBUG": "shaderstats"}),
    ("Apple M1, Honeykrisp", "asahi", "asahi", {"AGX_MESA_DEBUG": "shaderdb"}),
]
# Settings of the steps. On the M1 the index cannot be built from what an empty device returns.
WAYS = [("plain", []), ("shared", ["--share", "8"]), ("direct", ["--decoder", "direct"]), ("full", ["--loss", "full"])]
STEPS = 40


def install():
    """Unpacks Mesa under MESA; why not, if it cannot."""
    if (MESA / "complete").exists():
        return None
    for program in ("apt-get", "dpkg"):
        if not shutil.which(program):
            return f"there is no {program}"
    if os.uname().machine != "x86_64":
        return f"the devices are for x86_64, and this is {os.uname().machine}"
    shutil.rmtree(MESA, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "root"):
        (MESA / folder).mkdir(parents=True)
    # The mirror and the keys that this machine uses, or Debian's own.
    uri, keys = "http://deb.debian.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"
    local = Path("/etc/apt/sources.list.d/debian.sources")
    if local.exists():
        fields = re.findall(r"^(URIs|Signed-By): *(\S+)", local.read_text(), re.M)
        found = dict(reversed(fields))
        uri, keys = found.get("URIs", uri), found.get("Signed-By", keys)
    sources = MESA / "trixie.sources"
    suites = "trixie trixie-updates trixie-backports"
    sources.write_text(f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\nSigned-By: {keys}\n")
    options = {
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::SourceList": sources,
        "Dir::State::Lists": MESA / "lists",
        "Dir::Cache": MESA / "cache",
        # Nothing counts as installed, so that everything is fetched that the drivers need.
        "Dir::State::Status": "/dev/null",
        "APT::Default-Release": "trixie",
        "Debug::NoLocking": "1",
    }
    apt = ["apt-get", "-q", "-y"] + [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    for command in (["update"], ["--no-install-recommends", "--download-only", "install", *PACKAGES.split()]):
        ran = subprocess.run(apt + command, capture_output=True, text=True)
        if ran.returncode != 0:
            return f"apt-get {command[0]}: {(ran.stderr.strip() or ran.stdout.strip()).splitlines()[-1]}"
    for package in sorted((MESA / "cache/archives").glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, MESA / "root"], check=True)
    loader = LIBRARIES / "ld-linux-x86-64.so.2"
    if not loader.exists():
        shutil.copy(MESA / "root/usr/lib64/ld-linux-x86-64.so.2", loader)
    for driver in (MESA / "root/usr/share/vulkan/icd.d").glob("*.json"):
        text = re.sub(r'"library_path": *"[^"]*?(libvulkan_[^"/]*)"', rf'"library_path": "{LIBRARIES}/\1"', driver.read_text())
        (MESA / driver.name).write_text(text)
    shutil.rmtree(MESA / "cache")
    (MESA / "complete").touch()
    return None


def built(program, *profiles):
    """The program of the first of these profiles that has been built."""
    return next((path for path in (ROOT / "target" / name / program for name in profiles) if path.exists()), None)


def run(device, program, arguments, statistics=False):
    """Runs a program on a device."""
    _, driver, shim, variables = device
    icd = next(MESA.glob(f"{driver}_icd*.json"))
    environment = dict(os.environ, VK_DRIVER_FILES=str(icd), VK_ICD_FILENAMES=str(icd), MESA_SHADER_CACHE_DISABLE="true")
    environment.setdefault("XDG_RUNTIME_DIR", "/tmp")
    prints = ("NAK_DEBUG", "RADV_DEBUG", "AGX_MESA_DEBUG")
    environment |= {name: value for name, value in variables.items() if statistics or name not in prints}
    loader = [LIBRARIES / "ld-linux-x86-64.so.2", "--library-path", LIBRARIES]
    preload = ["--preload", LIBRARIES / f"lib{shim}_noop_drm_shim.so"]
    command = [*loader, *preload, program, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")


# Registers, instructions and spills to memory in what each compiler prints of a shader.
PATTERNS = [
    (r"^Num GPRs: (\d+)", r"^Instruction count: (\d+)", r"^Spills to mem: (\d+)"),
    (r"^VGPRs: (\d+)", r"^Instructions: (\d+)", r"^Spilled [SV]GPRs: (\d+)"),
    (r"(\d+) gprs", r"CS shader: (\d+) instrs", r"(\d+):\d+ spills"),
]


def compiled(device, patterns):
    """Registers, instructions and spills by shader."""
    ran = run(device, built("compile_shaders", "release", "debug"), [], statistics=True)
    parts = re.split(r"^fastvae: (\w+)$", ran.stderr, flags=re.M)
    shaders = {}
    for name, text in zip(parts[1::2], parts[2::2]):
        registers, instructions, spills = ([int(n) for n in re.findall(p, text, re.M)] for p in patterns)
        if registers and instructions:
            # Of a shader that was compiled twice, the last counts; spills of any do.
            shaders[name] = (registers[-1], instructions[-1], sum(spills))
    total = re.search(r"^fastvae: (\d+) shaders$", ran.stderr, re.M)
    problem = None
    if ran.returncode != 0 or not total or int(total.group(1)) != len(shaders):
        last = (ran.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        problem = f"{device[0]}: {len(shaders)} shaders compiled, then: {last}"
    return shaders, problem


def step(device, settings):
    """Dispatches, and microseconds of the host, of a step; nothing without a program, or if there is no index."""
    arguments = ["bench", "step", "--adapter", "0", "--steps", str(STEPS), "--json", *settings]
    program = built("fastvae", "release")
    ran = run(device, program, arguments) if program else None
    if not ran or ran.returncode != 0:
        return None
    found = json.loads(ran.stdout)
    dispatches = sum(kernel["calls_a_step"] for kernel in found["kernels"])
    host = sum(stage["seconds_a_step"] for stage in found["host"] if not stage["stage"].startswith("wait"))
    return dispatches, 1e6 * host


def table(shaders, steps):
    """The tables as Markdown."""
    names = [device[0] for device in DEVICES]
    lines = ["| a step | dispatches | " + " | ".join(f"host, µs: {name}" for name in names) + " |"]
    lines.append("|---|---|" + "---|" * len(names))
    for way, _ in WAYS:
        measured = [steps[name, way] for name in names]
        dispatches = next((one[0] for one in measured if one), float("nan"))
        host = " | ".join(f"{one[1]:.0f}" if one else "–" for one in measured)
        lines.append(f"| {way} | {dispatches:.1f} | {host} |")
    lines += ["", "Registers / instructions of each shader:", ""]
    lines += ["| shader | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for shader in sorted(set().union(*shaders.values())):
        cells = [shaders[name].get(shader) for name in names]
        spilled = lambda cell: f", {cell[2]} spilled" if cell[2] else ""
        shown = " | ".join(f"{cell[0]} / {cell[1]}{spilled(cell)}" if cell else "–" for cell in cells)
        lines.append(f"| {shader} | {shown} |")
    return "\n".join(lines)


def checked(shaders, steps, before):
    """What is worse than before: spills, and dispatches of a step."""
    problems = []
    known = {row.split(" | ")[0]: row.split(" | ")[1:] for row in re.findall(r"^\| (\w+ \| .*) \|$", before, re.M)}
    for column, (device, of_device) in enumerate(shaders.items()):
        for name, (_, _, spills) in of_device.items():
            cell = known.get(name, [])[column : column + 1]
            allowed = re.search(r"(\d+) spilled", cell[0]) if cell else None
            if spills > int(allowed.group(1) if allowed else 0):
                problems.append(f"{device}: {name} spills {spills} registers")
    limits = dict(re.findall(r"^\| (\w+) \| (\d+\.\d) \|", before, re.M))
    for (device, way), measured in steps.items():
        limit = float(limits.get(way, "inf"))
        # Rounded as in the table; an index that falls into the measurement adds a few dispatches.
        if measured and round(measured[0], 1) > limit + 0.5:
            problems.append(f"{device}: a step of {way} has {measured[0]:.1f} dispatches, the table says {limit}")
    return problems


def main():
    verb = sys.argv[1] if len(sys.argv) > 1 else "--print"
    if verb not in ("--print", "--write", "--check"):
        sys.exit(__doc__)
    if not built("compile_shaders", "release", "debug"):
        sys.exit("compile_shaders is missing: cargo build --workspace")
    if not built("fastvae", "release"):
        print("NOT RUN: steps on no-op devices; cargo build --release --workspace")
    if problem := install():
        print(f"NOT RUN: no-op devices; Mesa could not be unpacked to {MESA}: {problem}")
        return
    shaders, problems = {}, []
    for device, patterns in zip(DEVICES, PATTERNS):
        shaders[device[0]], problem = compiled(device, patterns)
        problems += [problem] if problem else []
    steps = {(device[0], way): step(device, settings) for device in DEVICES for way, settings in WAYS}
    made = table(shaders, steps)
    text = BENCHMARKS.read_text()
    before = text[text.index(BEGIN) + len(BEGIN) : text.index(END)] if BEGIN in text else ""
    problems += checked(shaders, steps, before if verb == "--check" else "")
    if verb == "--write":
        if not before:
            sys.exit(f"BENCHMARKS.md lacks the lines {BEGIN} and {END}")
        BENCHMARKS.write_text(text.replace(BEGIN + before + END, f"{BEGIN}\n{made}\n{END}"))
    else:
        print(made)
    if problems:
        sys.exit("\n".join(["", *problems]))


if __name__ == "__main__":
    main()
