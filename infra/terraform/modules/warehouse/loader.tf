# The loader's rights, given once by the administrator through the Data API; the password never leaves its secret.
# A principal with the IAM tag RedshiftDbRoles = tidemark_loader has them as soon as it logs in with temporary credentials.

locals {
  loader_db_role = "tidemark_loader"

  # A procedure, because Redshift has neither CREATE ROLE IF NOT EXISTS nor IF outside one: an apply that stopped in between
  # runs it again.
  loader_procedure = <<-SQL
    CREATE OR REPLACE PROCEDURE public.tidemark_grant_loader() AS $$
    DECLARE
      roles INT;
    BEGIN
      SELECT INTO roles COUNT(*) FROM svv_roles WHERE role_name = '${local.loader_db_role}';
      IF roles = 0 THEN
        CREATE ROLE ${local.loader_db_role};
      END IF;
      GRANT CREATE ON DATABASE ${var.database} TO ROLE ${local.loader_db_role};
    END;
    $$ LANGUAGE plpgsql
  SQL

  admin_secret_arn = one(concat(
    aws_redshiftserverless_namespace.warehouse[*].admin_password_secret_arn,
    aws_redshift_cluster.warehouse[*].master_password_secret_arn,
  ))
}

# Changes when the statements have to run again: for a new database, or because they are others.
resource "terraform_data" "loader" {
  triggers_replace = [
    one(concat(
      aws_redshiftserverless_namespace.warehouse[*].namespace_id,
      aws_redshift_cluster.warehouse[*].cluster_namespace_arn,
    )),
    local.loader_procedure,
  ]
}

resource "aws_redshiftdata_statement" "loader_procedure" {
  workgroup_name     = one(aws_redshiftserverless_workgroup.warehouse[*].workgroup_name)
  cluster_identifier = one(aws_redshift_cluster.warehouse[*].cluster_identifier)
  database           = var.database
  secret_arn         = local.admin_secret_arn
  sql                = local.loader_procedure

  lifecycle {
    # Redshift forgets a statement after a day; its attributes then read as empty, and each plan would run it again.
    ignore_changes       = all
    replace_triggered_by = [terraform_data.loader]
  }
}

resource "aws_redshiftdata_statement" "loader_role" {
  workgroup_name     = one(aws_redshiftserverless_workgroup.warehouse[*].workgroup_name)
  cluster_identifier = one(aws_redshift_cluster.warehouse[*].cluster_identifier)
  database           = var.database
  secret_arn         = local.admin_secret_arn
  sql                = "CALL public.tidemark_grant_loader()"

  lifecycle {
    ignore_changes       = all
    replace_triggered_by = [terraform_data.loader]
  }

  depends_on = [aws_redshiftdata_statement.loader_procedure]
}
