"""Evaluation in parts: each module measures one thing; `models.evaluate` puts them together."""
