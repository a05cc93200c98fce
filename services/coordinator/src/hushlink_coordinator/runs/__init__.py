"""Runs at work: the lease, the five stages, and what they share. Every stage can be run twice with the same outcome."""
