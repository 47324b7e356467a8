"""What commands talk to: the local cloud or AWS, the deployed stack, its API, and how it is built and deployed."""
