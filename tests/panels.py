"""The one place where tests make panels."""

from mifprofile.model import Panel


def make_panel(markers, /, **parts):
    """Make a human panel, whose nuclei are stained with DAPI.

    Markers are names, of channels that are read in the whole cell, or a dict from a
    name to ``channel/compartment``.
    """
    if not isinstance(markers, dict):
        markers = {name: f"{name}/cell" for name in markers}
    given = {
        name: dict(zip(("channel", "measure"), where.rsplit("/", 1), strict=True))
        for name, where in markers.items()
    }
    content = {"name": "test", "species": "human", "nucleus": "DAPI", "phenotypes": {}}
    return Panel.model_validate(content | {"markers": given} | parts)
