"""Akoya QPTIFF and inForm component images: planes described by XML, page by page.

Only pages that say FullResolution or ReducedResolution are read. The others are
pictures of the slide and of its label, which may show a patient's name.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from mifprofile.errors import FormatError
from mifprofile.io.readers._common import Found, refuse_colour
from mifprofile.io.readers._tiff import read_head, read_pages, read_stack

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.io.readers._tiff import TiffPage

MARK = "PerkinElmer-QPI-ImageDescription"
_FULL, _REDUCED = "FullResolution", "ReducedResolution"

Described = tuple["TiffPage", ET.Element]


def is_mine(path: Path) -> bool:
    """Whether it is a TIFF that an Akoya program wrote."""
    return MARK in read_head(path).page.description


def read(path: Path) -> Found:
    """Read the planes of a QPTIFF or of an inForm component image, lazily."""
    described = [(page, _xml(path, page)) for page in read_pages(path)]
    full = _planes(described, _FULL)
    if not full:
        raise FormatError(
            f"{path}: no full-resolution plane of intensities in the file; "
            "export the slide again"
        )
    if all(page.colour for page, _ in full):
        raise refuse_colour(path)
    # inForm adds a colour composite of the components.
    full = [(page, xml) for page, xml in full if not page.colour]
    inform = full[0][0].dtype_name == "float32"
    return Found(
        file_format="inForm component" if inform else "QPTIFF",
        levels=tuple(
            read_stack(path, [page.index for page, _ in level])
            for level in (full, *_reduced(described, len(full)))
        ),
        names=tuple(_name(xml) for _, xml in full),
        pixel_um=_pixel_um(full, inform=inform),
        origin_um=_origin_um(path, full[0][0]) if inform else (0.0, 0.0),
    )


def _xml(path: Path, page: TiffPage) -> ET.Element:
    """Parse a page's description; a page without one is nothing we know."""
    if MARK not in page.description:
        return ET.Element("none")
    try:
        return ET.fromstring(page.description.strip("\0 \r\n"))
    except ET.ParseError as error:
        raise FormatError(
            f"{path}: the XML of page {page.index} is damaged ({error}); "
            "copy the file again from its source"
        ) from error


def _planes(described: list[Described], kind: str) -> list[Described]:
    return [(p, xml) for p, xml in described if xml.findtext("ImageType") == kind]


def _reduced(described: list[Described], count: int) -> list[list[Described]]:
    """Levels of the pyramid, finest first; one without all channels is left out."""
    pages = [(p, xml) for p, xml in _planes(described, _REDUCED) if not p.colour]
    pages.sort(key=lambda item: item[0].shape_px, reverse=True)
    levels = [list(level) for _, level in groupby(pages, lambda item: item[0].shape_px)]
    return [level for level in levels if len(level) == count]


def _name(xml: ET.Element) -> str | None:
    for tag in ("Biomarker", "Name"):
        name = (xml.findtext(tag) or "").strip()
        if name:
            return name
    return None


def _pixel_um(full: list[Described], *, inform: bool) -> tuple[float, float] | None:
    """(x, y) pixel edges from the resolution tag, else from a QPTIFF's XML.

    The tag comes first: it holds what was measured (0.4965 µm), the XML only what was
    asked for (0.5 µm).
    """
    tagged = full[0][0].pixel_um
    if tagged is not None or inform:
        return tagged
    path = ".//ScanResolution/PixelSizeMicrons"
    edges = [
        xml.findtext(path) or xml.findtext(".//PixelSizeMicrons") for _, xml in full
    ]
    edge = next((float(edge) for edge in edges if edge), None)
    return None if edge is None else (edge, edge)


def _origin_um(path: Path, page: TiffPage) -> tuple[float, float]:
    """(x, y) of a field's upper left corner: from the tags, else from the file name.

    The name holds the field's centre: ``Slide_[16142,55840]_component_data.tif``.
    """
    if page.position is not None and page.in_cm:
        return page.position[0] * 1e4, page.position[1] * 1e4
    named = re.findall(r"_\[(\d+\.?\d*),(\d+\.?\d*)\]", path.name)
    if not named or page.pixel_um is None:
        return 0.0, 0.0
    (x, y), (x_um, y_um), (height, width) = named[-1], page.pixel_um, page.shape_px
    return float(x) - width * x_um / 2, float(y) - height * y_um / 2
