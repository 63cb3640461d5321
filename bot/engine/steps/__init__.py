"""Who takes part in a step, and the step itself."""
