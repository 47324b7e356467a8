"""Deployments to AWS: the plan, what it costs and breaks, the canary; and the notes of a release."""
