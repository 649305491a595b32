# Containers only. The values are put by the owners of the sources (README) and never pass through Terraform or its state.

resource "aws_secretsmanager_secret" "connection" {
  for_each = var.connections

  name                    = "${var.prefix}/connection/${each.key}"
  description             = "postgresql:// address of the source of pipeline ${each.key}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
}
