"""Airflow's part: one DAG per pipeline, and the few operators that its providers lack. Schedules, retries and history are Airflow's."""
