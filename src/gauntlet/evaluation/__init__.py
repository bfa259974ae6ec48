"""Evaluation: predictions come in, named values, matrices and figures go out; no tracking here."""
