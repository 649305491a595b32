output "airflow_role_arn" {
  description = "The role that Airflow's own role takes on."
  value       = aws_iam_role.airflow.arn
}

output "airflow_role_name" {
  description = "Its name, to attach more to it."
  value       = aws_iam_role.airflow.name
}
