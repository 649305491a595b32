"""What needs code or other rows: DataFrames in, a DataFrame out. One module per pipeline that has derived tables."""
