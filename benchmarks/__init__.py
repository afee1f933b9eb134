"""Measures the appliance beside its peers in one run: `python -m benchmarks`. No part of the product."""
