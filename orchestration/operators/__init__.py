"""Operators that Airflow's Amazon provider lacks. Each can be repeated: what was done before is found again."""
