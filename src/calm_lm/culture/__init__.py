"""Cultures as data: ids and blends, communities, explicit mentions in a text, norm records, dimensions."""
