"""Self-contained HTML pages: no script, no outside resource, light and dark, phone and desktop."""
