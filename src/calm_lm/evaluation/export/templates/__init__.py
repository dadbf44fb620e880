"""Files that are written out as they are; they import nothing of this package."""
