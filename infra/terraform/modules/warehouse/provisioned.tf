resource "aws_redshift_subnet_group" "warehouse" {
  count = local.is_serverless ? 0 : 1

  name       = local.name
  subnet_ids = var.network.private_subnet_ids
}

resource "aws_redshift_parameter_group" "warehouse" {
  count = local.is_serverless ? 0 : 1

  name   = local.name
  family = "redshift-2.0"

  parameter {
    name  = "require_ssl"
    value = "true"
  }

  # Without it the audit log has connections, but not what they did.
  parameter {
    name  = "enable_user_activity_logging"
    value = "true"
  }
}

resource "aws_redshift_cluster" "warehouse" {
  count = local.is_serverless ? 0 : 1

  cluster_identifier           = local.name
  database_name                = var.database
  node_type                    = var.capacity.node_type
  cluster_type                 = var.capacity.nodes == 1 ? "single-node" : "multi-node"
  number_of_nodes              = var.capacity.nodes
  cluster_subnet_group_name    = aws_redshift_subnet_group.warehouse[0].name
  cluster_parameter_group_name = aws_redshift_parameter_group.warehouse[0].name
  vpc_security_group_ids       = [aws_security_group.warehouse.id]
  publicly_accessible          = false
  encrypted                    = true
  kms_key_id                   = var.kms_key_arn
  iam_roles                    = [aws_iam_role.copy.arn]

  master_username                   = local.admin_username
  manage_master_password            = true
  master_password_secret_kms_key_id = var.kms_key_arn

  # COPY of Parquet reads through Spectrum, which stands outside the VPC: routed through it, the load would need more than S3's endpoint.
  enhanced_vpc_routing = false

  automated_snapshot_retention_period = 7
  # A final snapshot has a fixed name, so the second destroy would fail. The README tells how to take one first.
  skip_final_snapshot = true
}

resource "aws_redshift_logging" "warehouse" {
  count = local.is_serverless ? 0 : 1

  cluster_identifier   = aws_redshift_cluster.warehouse[0].cluster_identifier
  log_destination_type = "cloudwatch"
  log_exports          = local.audit_logs

  # Else Redshift makes the log groups first.
  depends_on = [aws_cloudwatch_log_group.audit]
}
