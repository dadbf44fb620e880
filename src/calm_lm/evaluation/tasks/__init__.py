"""Tasks and suites: small declarative files, and what they are read into."""
