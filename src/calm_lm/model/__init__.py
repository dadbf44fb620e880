"""CALM itself, one file per stage, with `CalmModel` on top."""
