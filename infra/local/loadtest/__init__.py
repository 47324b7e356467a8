"""Customers by the dozen, with and without chaos, and the books that must be right afterwards."""
