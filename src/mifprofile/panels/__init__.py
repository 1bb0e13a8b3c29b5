"""Panels that come with the package."""

from importlib.resources import files

DEMO_PANEL_YAML: str = files(__name__).joinpath("demo.yaml").read_text("utf-8")
"""Panel of the synthetic demonstration slide, as text."""
