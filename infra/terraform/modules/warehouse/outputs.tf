output "warehouse" {
  description = "What a client of the Data API names. workgroup is null when provisioned, cluster when serverless."
  value = {
    kind      = var.capacity.kind
    database  = var.database
    workgroup = one(aws_redshiftserverless_workgroup.warehouse[*].workgroup_name)
    cluster   = one(aws_redshift_cluster.warehouse[*].cluster_identifier)
    arn       = one(concat(aws_redshiftserverless_workgroup.warehouse[*].arn, aws_redshift_cluster.warehouse[*].arn))
  }
  # Whoever loads needs the role to be there.
  depends_on = [aws_redshiftdata_statement.loader_role]
}

output "loader_db_role" {
  description = "Database role of whoever loads: the value of the IAM tag RedshiftDbRoles."
  value       = local.loader_db_role
}

output "copy_role_arn" {
  description = "Role that COPY names."
  value       = aws_iam_role.copy.arn
}

output "security_group_id" {
  description = "Group without rules; a BI tool's rule is added to it from outside."
  value       = aws_security_group.warehouse.id
}
