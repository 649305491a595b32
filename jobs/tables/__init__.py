"""How a batch enters a Delta table: exactly one tagged commit per table and batch. One module per load mode."""
