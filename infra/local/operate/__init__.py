"""What operates Pay, on this machine and on AWS."""
