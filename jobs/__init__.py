"""Tidemark: files and Postgres tables into curated Delta tables, warehouse tables and reports."""
