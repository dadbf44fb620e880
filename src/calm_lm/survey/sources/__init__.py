"""One file per survey: reads a layout as published, bundles no figure."""
