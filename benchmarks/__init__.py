"""Measures the appliance beside its peers in one run; `python -m benchmarks`. Part of the repository, not the product."""
