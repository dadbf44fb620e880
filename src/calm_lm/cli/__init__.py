"""The command line: thin commands that read options, call the rooms below and print."""
