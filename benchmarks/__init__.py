"""What `make bench` runs: figures of accuracy, and ratios measured in one run."""
