"""The demonstration: a phantom study, a scanner that sends it and peers that receive; no part of the appliance."""
