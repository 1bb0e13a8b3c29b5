"""The only place that touches files: readers, stores and tables."""
