output "secret_arns" {
  description = "The secret of each pipeline's connection: pipeline → ARN."
  value       = { for pipeline, secret in aws_secretsmanager_secret.connection : pipeline => secret.arn }
}

output "secret_names" {
  description = "The secret of each pipeline's connection: pipeline → name."
  value       = { for pipeline, secret in aws_secretsmanager_secret.connection : pipeline => secret.name }
}
