"""Stages put together: what computes meets what is remembered, shown and reused."""
