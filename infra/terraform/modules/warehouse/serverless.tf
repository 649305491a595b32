resource "aws_redshiftserverless_namespace" "warehouse" {
  count = local.is_serverless ? 1 : 0

  namespace_name = local.name
  db_name        = var.database
  kms_key_id     = var.kms_key_arn
  iam_roles      = [aws_iam_role.copy.arn]
  log_exports    = local.audit_logs

  admin_username                   = local.admin_username
  manage_admin_password            = true
  admin_password_secret_kms_key_id = var.kms_key_arn

  # Else Redshift makes the log groups first.
  depends_on = [aws_cloudwatch_log_group.audit]
}

resource "aws_redshiftserverless_workgroup" "warehouse" {
  count = local.is_serverless ? 1 : 0

  workgroup_name      = local.name
  namespace_name      = aws_redshiftserverless_namespace.warehouse[0].namespace_name
  base_capacity       = var.capacity.base_rpu
  max_capacity        = var.capacity.max_rpu
  subnet_ids          = var.network.private_subnet_ids
  security_group_ids  = [aws_security_group.warehouse.id]
  publicly_accessible = false

  # COPY of Parquet reads through Spectrum, which stands outside the VPC: routed through it, the load would need more than S3's endpoint.
  enhanced_vpc_routing = false

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }

  lifecycle {
    # Redshift answers with every parameter there is, so a list of one would differ in each plan. The check below watches the one.
    ignore_changes = [config_parameter]

    postcondition {
      condition = anytrue([
        for parameter in self.config_parameter : parameter.parameter_key == "require_ssl" && parameter.parameter_value == "true"
      ])
      error_message = <<-EOT
        Workgroup ${self.workgroup_name}: expected require_ssl "true", got another value: somebody changed it outside Terraform.
        Put it right with `aws redshift-serverless update-workgroup --workgroup-name ${self.workgroup_name}
        --config-parameters parameterKey=require_ssl,parameterValue=true`.
      EOT
    }
  }
}
