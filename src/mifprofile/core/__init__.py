"""The science, pure: arrays and tables in, new arrays and tables out."""
