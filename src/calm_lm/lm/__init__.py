"""Access to language models: states, option scores, generation, sentence embeddings. It knows no culture."""
