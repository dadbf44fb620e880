"""Labelled texts with their cultures: sources by name, own files, splits, leakage, licences, bundled norms."""
