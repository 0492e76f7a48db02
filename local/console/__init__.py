"""What the AWS console is on AWS, for the laptop: executions, dashboard, models."""
