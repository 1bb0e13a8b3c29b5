"""A study: whose biopsies there are, what is asked of them, and the answers."""
