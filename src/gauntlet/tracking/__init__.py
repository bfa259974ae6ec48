"""Tracking: the only place that speaks to MLflow. Configs and measurements come in, runs go out."""
