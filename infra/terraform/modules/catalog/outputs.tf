output "databases" {
  description = "The Glue database of each pipeline: pipeline → name."
  value       = { for pipeline, database in aws_glue_catalog_database.pipeline : pipeline => database.name }
}

output "workgroup" {
  description = "The Athena workgroup to query them in."
  value       = aws_athena_workgroup.this.name
}
