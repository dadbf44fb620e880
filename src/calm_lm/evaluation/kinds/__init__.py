"""Kinds of task, one file each: which questions a task asks, and what the answers are worth."""
