# The role that Airflow, `tidemark` and `make submit-job` work with. What it may do is in iam.tf.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_iam_role" "airflow" {
  name               = "${var.prefix}-airflow"
  description        = "Starts clusters and steps, loads the warehouse"
  assume_role_policy = data.aws_iam_policy_document.trust.json

  # By this tag Redshift gives whoever logs in with the role's temporary credentials the right to load.
  tags = { RedshiftDbRoles = var.warehouse.loader_db_role }
}

resource "aws_iam_role_policy" "airflow" {
  for_each = {
    clusters  = data.aws_iam_policy_document.clusters.json
    storage   = data.aws_iam_policy_document.storage.json
    warehouse = data.aws_iam_policy_document.warehouse.json
  }

  name   = each.key
  role   = aws_iam_role.airflow.id
  policy = each.value
}
