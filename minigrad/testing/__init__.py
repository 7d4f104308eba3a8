"""Test gradients, your own ops' included: see the functions below."""
