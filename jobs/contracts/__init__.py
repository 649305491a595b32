"""What rows must look like. Plain Arrow and DuckDB; says what to quarantine, writes nothing."""
