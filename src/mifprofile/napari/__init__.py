"""napari plugin: result folders as layers, and gates moved by hand."""
