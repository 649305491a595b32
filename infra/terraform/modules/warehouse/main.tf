# What both kinds of warehouse share. They differ in serverless.tf and provisioned.tf; one of the two makes resources.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  name           = "${var.prefix}-warehouse"
  is_serverless  = var.capacity.kind == "serverless"
  audit_logs     = toset(["connectionlog", "useractivitylog", "userlog"])
  admin_username = "tidemark_admin"
}

# No rule in either direction: statements come through the Data API and files through COPY, and neither passes the VPC.
# Whoever connects a BI tool adds the rule for it to this group.
resource "aws_security_group" "warehouse" {
  name        = local.name
  description = "Network interfaces of the warehouse ${local.name}"
  vpc_id      = var.network.vpc_id
}

# Made here because Redshift would make them itself: unencrypted, for ever, and left behind by a destroy.
resource "aws_cloudwatch_log_group" "audit" {
  for_each = local.audit_logs

  name              = "/aws/redshift/${local.is_serverless ? "" : "cluster/"}${local.name}/${each.key}"
  kms_key_id        = var.kms_key_arn
  retention_in_days = 90
}
