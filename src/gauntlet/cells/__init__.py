"""One cell: one attack on one defended model under one threat model, at all its budgets.

`plan` says which cells there are, `measure` is the one way to a number, `result` is what it gives.
Nothing here knows MLflow, figures or the console.
"""
