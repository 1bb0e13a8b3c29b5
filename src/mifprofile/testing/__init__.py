"""Hypothesis strategies, for tests of what works on our data."""

from mifprofile.testing.strategies import label_images

__all__ = ["label_images"]
