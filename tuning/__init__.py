"""Hyperparameter studies: the only place that knows Optuna.

    study  ->  worker: trials  ->  measure  ->  report

`study` opens a study, in which every trial of the budget waits from the start; workers take them
one by one, measure each in an MLflow run of its own, and the process that leads reports.
"""
