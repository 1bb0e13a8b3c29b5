"""Scripts that other environments run: what peers compute, timed where they run."""
