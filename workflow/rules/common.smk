"""Config, sample sheet and the functions that the rules share."""

import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from shlex import quote

import pandas as pd
import yaml
from snakemake.utils import validate


def read_samples(path):
    """Sample sheet by ``sample_id``; all of it is text but the pixel size."""
    kinds = defaultdict(lambda: str, pixel_size_um=float)
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    comments = [i for i, line in enumerate(lines) if line.startswith("#")]
    table = pd.read_csv(path, sep="\t", skiprows=comments, dtype=kinds)
    if "missing_reason" in table:
        # Biopsies that were not had; `mifprofile cohort` reads those rows.
        table = table[
            table["missing_reason"].isin(["."]) | table["missing_reason"].isna()
        ]
    validate(table, "../schemas/samples.schema.json", set_default=False)
    return table.set_index("sample_id", verify_integrity=True)


validate(config, "../schemas/config.schema.json", set_default=False)
SAMPLES = read_samples(config["samples"])
RESULTS = config["results"]
CONFIG = f"{RESULTS}/config.yaml"
# A slide may hold more channels than its panel names.
MIN_CHANNELS = 8


wildcard_constraints:
    sample="|".join(map(re.escape, SAMPLES.index)),


def write_config():
    """Write the config in force, ``--config key=value`` included, for the rules."""
    Path(RESULTS).mkdir(parents=True, exist_ok=True)
    Path(CONFIG).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def result(name):
    """Pattern of a path in a sample's folder."""
    return f"{RESULTS}/{{sample}}/{name}"


def folder(wildcards):
    """Folder of a sample."""
    return f"{RESULTS}/{wildcards.sample}"


def slide(wildcards):
    """Slide of a sample."""
    return SAMPLES.at[wildcards.sample, "slide"]


def pixel_size(wildcards):
    """``--pixel-size`` where the sheet gives one."""
    sizes = SAMPLES.get("pixel_size_um", default={})
    um = sizes.get(wildcards.sample)
    return "" if pd.isna(um) else f"--pixel-size {um}"


def drawn(column):
    """File of areas drawn by people, where the sheet names one in a column."""

    def path(wildcards):
        path = SAMPLES.get(column, default={}).get(wildcards.sample)
        return [] if pd.isna(path) else path

    return path


def drawn_option(name):
    """``--name`` for that file."""

    def option(wildcards, input):
        return f"--{name} {quote(input.drawn)}" if input.drawn else ""

    return option


def correction_files(wildcards):
    """Files that corrections read, where the config names any."""
    correct = config.get("measure", {}).get("correct", {})
    return [correct[k] for k in ("unmixing", "flat_field_file") if correct.get(k)]


def control(wildcards):
    """What is read of the negative-control slide, if there is one."""
    folder = config.get("phenotype", {}).get("control")
    names = ("measurements.parquet", "quality.zarr")
    return [f"{folder}/{name}" for name in names] if folder else []


def cohort_files(wildcards):
    """Files that the cohort's section of the config names."""
    cohort = config.get("cohort", {})
    return [cohort[name] for name in ("endpoints", "features") if cohort.get(name)]


def panel(wildcards):
    """Panel of a sample."""
    return SAMPLES.at[wildcards.sample, "panel"]


def panel_part(*keys):
    """What of the panel a rule depends on; all of it if no keys are given."""

    def part(wildcards):
        content = read_panel(panel(wildcards))
        # Not sorted: the order of the phenotypes has a meaning.
        return json.dumps({k: v for k, v in content.items() if not keys or k in keys})

    return part


@cache
def read_panel(path):
    """Content of a panel file; mifprofile is the one to check it."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def section(stage):
    """What of the config a rule depends on."""
    return json.dumps(config.get(stage, {}), sort_keys=True)


def gate_group(sample):
    """Name of the samples with which one is gated; empty if it is gated alone."""
    scope = config.get("gates", {}).get("scope", "slide")
    column = {"patient": "patient_id", "batch": "batch"}.get(scope)
    if scope == "slide":
        return ""
    return str(SAMPLES.at[sample, column]) if column else "all"


def gated_together(wildcards):
    """Samples of a group."""
    return [name for name in SAMPLES.index if gate_group(name) == wildcards.group]


def shared_gates(wildcards):
    """Gate table of a sample's group, if it has one."""
    group = gate_group(wildcards.sample)
    return f"{RESULTS}/gates/{group}.csv" if group else []


def memory(base_mb, tile_px=0, bytes_per_value=0, mb_per_thread=0):
    """``mem_mb`` for one tile in all channels, or per worker; a retry asks for more."""

    def mem_mb(wildcards, attempt, threads):
        markers = read_panel(panel(wildcards)).get("markers", ())
        channels = max(len(markers) + 1, MIN_CHANNELS)
        tile_mb = tile_px**2 * channels * bytes_per_value / 2**20
        return round((base_mb + tile_mb + mb_per_thread * threads) * attempt)

    return mem_mb
