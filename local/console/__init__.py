"""The laptop's counterpart of the AWS console: executions, dashboard, models."""
