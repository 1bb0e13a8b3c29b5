"""OME-TIFF: tiled or not, with or without a pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from mifprofile.errors import FormatError
from mifprofile.io._units import to_um
from mifprofile.io.readers._common import Found
from mifprofile.io.readers._tiff import read_head, read_largest_series

if TYPE_CHECKING:
    from pathlib import Path

    from mifprofile.io.readers._segments import SegmentedLevel


def is_mine(path: Path) -> bool:
    """Whether it is a TIFF with OME's description."""
    return read_head(path).ome_xml is not None


def read(path: Path) -> Found:
    """Read the largest image of an OME-TIFF, lazily."""
    images = _pixels(path, read_head(path).ome_xml or "")
    number, levels = read_largest_series(path)
    pixels = _matching(images, number, levels[0])
    return Found(
        file_format="OME-TIFF",
        levels=levels,
        names=_names(pixels, len(levels[0].planes)),
        pixel_um=None if pixels is None else _pixel_um(pixels),
    )


def _pixels(path: Path, ome_xml: str) -> list[ET.Element]:
    try:
        root = ET.fromstring(ome_xml)
    except ET.ParseError as error:
        raise FormatError(
            f"{path}: the OME-XML in the file is damaged ({error}); export it again"
        ) from error
    if root.find("{*}BinaryOnly") is not None:
        raise FormatError(
            f"{path}: only a part of a slide that is spread over several files; "
            "open the file that describes the whole, or export it as one OME-TIFF"
        )
    return root.findall("{*}Image/{*}Pixels")


def _matching(
    images: list[ET.Element], number: int, level: SegmentedLevel
) -> ET.Element | None:
    """Find the Pixels element of a level: by its size, then by its number."""
    size = [str(n) for n in level.shape_px]
    alike = [p for p in images if [p.get("SizeY"), p.get("SizeX")] == size]
    if number < len(images) and images[number] in alike:
        return images[number]
    return alike[0] if alike else None


def _names(pixels: ET.Element | None, count: int) -> tuple[str | None, ...]:
    """Channel names in order; those that the XML leaves out are None."""
    found = [] if pixels is None else pixels.findall("{*}Channel")
    names = [(channel.get("Name") or "").strip() or None for channel in found]
    return tuple([*names, *[None] * count][:count])


def _pixel_um(pixels: ET.Element) -> tuple[float, float] | None:
    x, y = (_edge_um(pixels, axis) for axis in "XY")
    return None if x is None or y is None else (x, y)


def _edge_um(pixels: ET.Element, axis: str) -> float | None:
    value = pixels.get(f"PhysicalSize{axis}")
    unit = pixels.get(f"PhysicalSize{axis}Unit", "\N{MICRO SIGN}m")
    return None if value is None else to_um(float(value), unit)
