"""The report's page."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined

from mifprofile.core.landscape import lineage_labels
from mifprofile.core.landscape.metrics import SPATIAL_METRICS
from mifprofile.core.palette import Colour, phenotype_colours
from mifprofile.core.panel.capability import capabilities
from mifprofile.core.phenotype.conflict_rates import judge_rate
from mifprofile.core.phenotype.gates import gate_figures
from mifprofile.report import figures, wording
from mifprofile.report.findings import find
from mifprofile.report.gallery import gallery_pictures
from mifprofile.report.quality import exclusion_picture, quality_context
from mifprofile.report.undecided import BESIDE_SPLIT, best_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mifprofile.report.content import ReportContent, Tile

# Pictures are shown at half of this width, so that they stay sharp on any screen.
TILE_PX = 1000
KEY_REGIONS = ("tissue", "tumour", "stroma")
BESIDE = "cells side by side"
STATUS_MEANING = {
    "OK": "value as measured",
    "SMALL": "a value of fewer cells, or of less tissue, than it asks for",
    "NO_INTERVAL": "a value without its interval: too few blocks of tissue",
    "LOW_N": "too few cells for a value",
    "LOW_AREA": "too little tissue for a value",
    "NO_TUMOUR": "no tumour nest was found",
    "NOT_COMPUTABLE": "cannot be had; the reason says why",
    "APPROX": "an approximation; the reason says which",
    "QC_FAIL": "failed a quality check",
}


def render(content: ReportContent) -> str:
    """Write a report as one HTML page that needs no other file.

    Parameters
    ----------
    content : ReportContent

    Returns
    -------
    str
        The page; the same content gives the same page.
    """
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": wording.number,
        "exact": wording.exact,
        "unit": wording.unit,
        "moment": wording.moment,
        "plain": wording.plain,
        "um": wording.length,
        "duration": wording.duration,
        "capfirst": _capitalised,
        "css": _css,
    }
    template = environment.get_template("template.html.j2")
    return template.render(_context(content)) + "\n"


def _template(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _context(content: ReportContent) -> dict[str, Any]:
    markers = [_marker(content, row) for row in _records(content.gates)]
    galleries = _galleries(content)
    return {
        "content": content,
        "panel": content.panel,
        "findings": find(content),
        "areas": _areas(content),
        "key_regions": KEY_REGIONS,
        "key_rows": _key_rows(content),
        "colours": phenotype_colours(content.panel),
        "counts": _counts(content),
        "overview": _overview(content),
        "contours": {name: colour for name, (_, colour) in figures.CONTOURS.items()},
        "quality": quality_context(content),
        "exclusions": _exclusions(content),
        "tiles": _tiles(content),
        "markers": markers,
        "undecided": _undecided(content, markers),
        "beside_split": BESIDE_SPLIT,
        "galleries": galleries,
        "decided": [
            m["marker"] for m in markers if m["gated"] if m["marker"] in galleries
        ],
        "impossible": _impossible(content),
        "capabilities": capabilities(content.panel),
        "landscape": _landscape(content.landscape),
        "intervals": bool((content.landscape["ci_method"] != "none").any()),
        "moved": bool(content.landscape["value_at_low_gates"].notna().any()),
        "corrected": bool(content.landscape["n_corrected"].notna().any()),
        "statuses": _statuses(content.landscape),
    }


@dataclass(frozen=True)
class _Picture:
    """A picture with what is drawn over it and beside it."""

    image: str
    bar_um: float
    bar_percent: float
    alt: str
    title: str = ""
    caption: str = ""
    overlay: str = ""


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _css(colour: Colour) -> str:
    return f"rgb({colour[0]}, {colour[1]}, {colour[2]})"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _areas(content: ReportContent) -> dict[str, dict[str, Any]]:
    rows = {region: content.value("area", region) for region in KEY_REGIONS}
    return {region: row for region, row in rows.items() if row}


def _key_rows(content: ReportContent) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """(label, unit, a landscape row per region) of the numbers that come first."""
    names = ["all", *content.panel.categories, *lineage_labels(content.panel)]
    rows = [
        (name, "cells/mm²", [content.value("density", r, name) for r in KEY_REGIONS])
        for name in names
    ]
    ratio = [content.value("ratio", r, "CD8+") for r in KEY_REGIONS]
    rows.append(("CD8:FOXP3", "ratio", ratio))
    return [row for row in rows if any(row[2])]


def _counts(content: ReportContent) -> dict[str, int]:
    """Cells per phenotype on the whole slide, as far as the overview knows them."""
    if content.overview is None:
        return {}
    names, counts = np.unique(content.overview.phenotypes, return_counts=True)
    return dict(zip(map(str, names), map(int, counts), strict=True))


def _overview(content: ReportContent) -> list[_Picture]:
    overview = content.overview
    if overview is None:
        return []
    bar = figures.scale_bar(overview.regions.shape[1] * overview.um)
    colours = phenotype_colours(content.panel)
    cells = _Picture(
        figures.png(figures.cell_picture(overview, colours)),
        *bar,
        alt="Cells as dots, coloured by phenotype",
        title="Cells by phenotype",
    )
    if overview.nucleus is None:
        return [cells]
    nucleus = _Picture(
        figures.jpeg(figures.overview_picture(overview, overview.nucleus)),
        *bar,
        alt="Nuclear channel with contours of tissue and tumour",
        title=f"{content.panel.nucleus} and regions",
    )
    return [nucleus, cells]


def _exclusions(content: ReportContent) -> list[_Picture]:
    overview, quality = content.overview, content.quality
    if overview is None or overview.nucleus is None or quality is None:
        return []
    image = exclusion_picture(overview.nucleus, quality.masks)
    return [
        _Picture(
            figures.jpeg(image),
            *figures.scale_bar(overview.nucleus.shape[1] * overview.um),
            alt="Nuclear channel with what is excluded in colour",
            title="Excluded tissue",
        )
    ]


def _tiles(content: ReportContent) -> list[_Picture]:
    if not content.tiles:
        return []
    thresholds = [content.thresholds.get(c.label, np.nan) for c in content.shown[1:]]
    ranges = figures.tile_ranges(content.tiles, thresholds)
    return [_tile(content, tile, ranges) for tile in content.tiles]


def _tile(content: ReportContent, tile: Tile, ranges: list[figures.Range]) -> _Picture:
    width = tile.cells.shape[1]
    zoom = max(round(TILE_PX / width), 1)
    image = figures.composite(tile.planes, [c.colour for c in content.shown], ranges)
    lines = figures.outline_picture(tile, zoom, phenotype_colours(content.panel))
    cells = np.count_nonzero(np.unique(tile.cells))
    place = f"x {wording.length(tile.x_um)} · y {wording.length(tile.y_um)}"
    return _Picture(
        figures.jpeg(figures.enlarge(image, zoom)),
        *figures.scale_bar(width * tile.um),
        alt=f"Sample tile, {tile.title}, at {place}",
        title=tile.title,
        caption=f"{wording.number(cells)} cells · {place}",
        overlay=figures.png(lines),
    )


def _marker(content: ReportContent, gate: dict[str, Any]) -> dict[str, Any]:
    """A gate with what it does to the cells."""
    name, threshold = str(gate["marker"]), float(gate["threshold"])
    marker = content.panel.markers[name]
    levels = content.levels[name].to_numpy(float)
    positive = int((levels > threshold).sum())
    gated = bool(np.isfinite(threshold))
    split = np.nan if gated else best_split(levels)
    return gate | {
        "channel": marker.channel,
        "read": f"{marker.measure} {marker.statistic}",
        "gated": gated,
        "positive": positive if gated else None,
        "share": wording.percent(positive, len(levels) if gated else 0),
        "figures": gate_figures(levels, threshold),
        "split": split,
        "histogram": figures.histogram(levels, threshold, split) if len(levels) else "",
    }


def _undecided(
    content: ReportContent, markers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Markers for a person to decide; those that phenotypes rest on come first."""
    asked = {name for rule in content.panel.rules.values() for name, _ in rule.signs}
    found = [m for m in markers if m["grade"] == "undecided" and m["histogram"]]
    return sorted(found, key=lambda m: m["marker"] not in asked)


def _galleries(content: ReportContent) -> dict[str, dict[str, str]]:
    """Marker → kind of cell → picture."""
    return {
        gallery.marker: {
            kind: figures.jpeg(image)
            for kind, image in gallery_pictures(gallery).items()
        }
        for gallery in content.galleries
    }


def _impossible(content: ReportContent) -> list[dict[str, Any]]:
    return [
        row
        | {
            "verdict": judge_rate(
                row["combination"], row["percent"], int(row["of"]), content.panel
            )
        }
        for row in _records(content.impossible)
    ]


def _landscape(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Rows by region in the order of the table, then those of cells side by side."""
    spatial = table["metric"].isin(SPATIAL_METRICS)
    plain = table[~spatial]
    regions = dict.fromkeys(plain["region"])
    groups = {str(r): _records(plain[plain["region"] == r]) for r in regions}
    beside = _records(table[spatial])
    return groups | ({BESIDE: beside} if beside else {})


def _statuses(table: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """(status, number of rows, meaning) of those that occur."""
    for status, meaning in STATUS_MEANING.items():
        rows = int((table["status"] == status).sum())
        if rows:
            yield status, rows, meaning
