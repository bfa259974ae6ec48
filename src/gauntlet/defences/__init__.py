"""Defences: how autoencoder and classifier become one model that is attacked and judged."""
