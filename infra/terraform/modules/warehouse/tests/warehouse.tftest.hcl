mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/tidemark-test-warehouse-copy" }
  }
  mock_resource "aws_redshiftserverless_namespace" {
    defaults = { admin_password_secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:serverless" }
  }
  mock_resource "aws_redshiftserverless_workgroup" {
    defaults = { arn = "arn:aws:redshift-serverless:eu-central-1:111122223333:workgroup/1" }
  }
  mock_resource "aws_redshift_cluster" {
    defaults = {
      arn                        = "arn:aws:redshift:eu-central-1:111122223333:cluster:tidemark-test-warehouse"
      master_password_secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:provisioned"
    }
  }
}

variables {
  prefix      = "tidemark-test"
  network     = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2", "subnet-3"] }
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"
  lake        = { name = "tidemark-test-lake", arn = "arn:aws:s3:::tidemark-test-lake" }
  capacity    = { kind = "serverless" }
}

run "refuses_a_prefix_that_redshift_cannot_name" {
  command = plan
  variables { prefix = "1tidemark" }
  expect_failures = [var.prefix]
}

run "refuses_an_unknown_kind" {
  command = plan
  variables { capacity = { kind = "spectrum" } }
  expect_failures = [var.capacity]
}

run "refuses_a_base_capacity_between_the_steps" {
  command = plan
  variables { capacity = { kind = "serverless", base_rpu = 12 } }
  expect_failures = [var.capacity]
}

run "refuses_a_maximum_below_the_base" {
  command = plan
  variables { capacity = { kind = "serverless", base_rpu = 32, max_rpu = 16 } }
  expect_failures = [var.capacity]
}

run "refuses_a_node_type_of_the_past" {
  command = plan
  variables { capacity = { kind = "provisioned", node_type = "dc2.large" } }
  expect_failures = [var.capacity]
}

run "refuses_a_cluster_without_nodes" {
  command = plan
  variables { capacity = { kind = "provisioned", nodes = 0 } }
  expect_failures = [var.capacity]
}

run "refuses_serverless_in_two_subnets" {
  command = plan
  variables { network = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2"] } }
  expect_failures = [var.capacity]
}

run "refuses_a_database_that_needs_quotes" {
  command = plan
  variables { database = "Ware-House" }
  expect_failures = [var.database]
}

run "serverless_is_private_encrypted_and_asks_for_tls" {
  assert {
    condition = (
      aws_redshiftserverless_workgroup.warehouse[0].publicly_accessible == false
      && aws_redshiftserverless_workgroup.warehouse[0].enhanced_vpc_routing == false
      && aws_redshiftserverless_namespace.warehouse[0].kms_key_id == var.kms_key_arn
    )
    error_message = "The workgroup has no public address, and its namespace has our key."
  }

  assert {
    condition = {
      for p in aws_redshiftserverless_workgroup.warehouse[0].config_parameter : p.parameter_key => p.parameter_value
    } == { require_ssl = "true" }
    error_message = "A client without TLS is refused."
  }

  assert {
    condition = (
      aws_redshiftserverless_namespace.warehouse[0].manage_admin_password
      && aws_redshiftserverless_namespace.warehouse[0].admin_password_secret_kms_key_id == var.kms_key_arn
      && aws_redshiftserverless_namespace.warehouse[0].admin_user_password == null
    )
    error_message = "Redshift makes, keeps and rotates the administrator's password."
  }

  assert {
    condition     = length(aws_redshift_cluster.warehouse) == 0 && output.warehouse.cluster == null
    error_message = "Nothing is paid by the hour."
  }
}

run "provisioned_is_private_encrypted_and_asks_for_tls" {
  variables {
    capacity = { kind = "provisioned" }
    network  = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2"] }
  }

  assert {
    condition = (
      aws_redshift_cluster.warehouse[0].publicly_accessible == false
      && aws_redshift_cluster.warehouse[0].enhanced_vpc_routing == false
      && aws_redshift_cluster.warehouse[0].encrypted
      && aws_redshift_cluster.warehouse[0].kms_key_id == var.kms_key_arn
      && aws_redshift_cluster.warehouse[0].cluster_parameter_group_name == aws_redshift_parameter_group.warehouse[0].name
    )
    error_message = "The cluster has no public address, our key and our parameters."
  }

  assert {
    condition = { for p in aws_redshift_parameter_group.warehouse[0].parameter : p.name => p.value } == {
      require_ssl                  = "true"
      enable_user_activity_logging = "true"
    }
    error_message = "A client without TLS is refused, and statements are logged."
  }

  assert {
    condition = (
      aws_redshift_cluster.warehouse[0].manage_master_password
      && aws_redshift_cluster.warehouse[0].master_password_secret_kms_key_id == var.kms_key_arn
      && aws_redshift_cluster.warehouse[0].master_password == null
    )
    error_message = "Redshift makes, keeps and rotates the administrator's password."
  }

  assert {
    condition     = length(aws_redshiftserverless_workgroup.warehouse) == 0 && output.warehouse.workgroup == null
    error_message = "Only the cluster is made."
  }

  assert {
    condition     = aws_redshift_logging.warehouse[0].log_exports == toset(keys(aws_cloudwatch_log_group.audit))
    error_message = "The cluster's audit log goes to CloudWatch."
  }

  assert {
    condition     = aws_redshiftdata_statement.loader_role.secret_arn == aws_redshift_cluster.warehouse[0].master_password_secret_arn
    error_message = "The administrator gives the rights."
  }
}

run "audit_logs_are_encrypted_and_end" {
  assert {
    condition = alltrue([
      for kind, group in aws_cloudwatch_log_group.audit :
      group.name == "/aws/redshift/tidemark-test-warehouse/${kind}"
      && group.kms_key_id == var.kms_key_arn
      && group.retention_in_days == 90
    ]) && aws_redshiftserverless_namespace.warehouse[0].log_exports == toset(keys(aws_cloudwatch_log_group.audit))
    error_message = "Redshift writes into the log groups made here, by their names."
  }
}

run "nothing_connects_to_the_warehouse" {
  assert {
    condition     = length(aws_security_group.warehouse.ingress) == 0 && length(aws_security_group.warehouse.egress) == 0
    error_message = "The security group has no rule."
  }
}

run "copy_reads_exports_only" {
  assert {
    condition = { for s in data.aws_iam_policy_document.copy.statement : s.sid => one(s.resources) } == {
      ReadExports    = "arn:aws:s3:::tidemark-test-lake/export/*"
      FindExports    = "arn:aws:s3:::tidemark-test-lake"
      LocateBucket   = "arn:aws:s3:::tidemark-test-lake"
      DecryptExports = var.kms_key_arn
    }
    error_message = "COPY sees export/ of the lake."
  }

  assert {
    condition = { for s in data.aws_iam_policy_document.copy.statement : s.sid => one(s.actions) } == {
      ReadExports    = "s3:GetObject"
      FindExports    = "s3:ListBucket"
      LocateBucket   = "s3:GetBucketLocation"
      DecryptExports = "kms:Decrypt"
    }
    error_message = "COPY only reads."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.copy.statement[1].condition).values == tolist(["export/*"])
    error_message = "COPY lists export/ only."
  }
}

run "only_redshift_of_this_account_takes_the_copy_role" {
  assert {
    condition = one(data.aws_iam_policy_document.copy_trust.statement[0].condition).values == tolist([
      "arn:aws:redshift:eu-central-1:111122223333:dbuser:*"
    ])
    error_message = "A warehouse of another account cannot take the role."
  }
}

run "the_loader_may_make_schemas" {
  assert {
    condition = (
      strcontains(aws_redshiftdata_statement.loader_procedure.sql, "GRANT CREATE ON DATABASE warehouse TO ROLE tidemark_loader;")
      && aws_redshiftdata_statement.loader_role.sql == "CALL public.tidemark_grant_loader()"
      && output.loader_db_role == "tidemark_loader"
    )
    error_message = "The database role exists with the one right that a loader needs."
  }
}
