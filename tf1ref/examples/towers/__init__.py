"""One model on several devices of a machine: towers with shared variables and averaged gradients."""
