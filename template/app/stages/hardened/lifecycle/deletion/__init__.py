"""Deleting a tenant everywhere, and proving it: what is left is a tombstone, a proof, the trail."""
