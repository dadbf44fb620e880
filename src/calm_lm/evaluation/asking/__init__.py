"""How a model is asked: conditions, wording, what it answered, and what was no answer."""
