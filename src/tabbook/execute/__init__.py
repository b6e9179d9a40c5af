"""Execution: each framework's cells in that framework's environment, their outputs into the store."""
