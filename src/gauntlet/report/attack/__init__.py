"""An attack run: defences by threat models, worst cases, headlines, warnings."""
