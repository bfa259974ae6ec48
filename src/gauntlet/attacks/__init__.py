"""Attacks: a logits callable, images and labels come in, adversarial images a budget go out."""
