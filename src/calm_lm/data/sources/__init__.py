"""One file a published data set; each exposes `SOURCE`."""
