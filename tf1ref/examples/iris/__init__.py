"""Three kinds of flowers, four measures: one layer of weights, trained in full view."""
