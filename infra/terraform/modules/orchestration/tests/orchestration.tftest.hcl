mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { unique_id = "AROATESTTESTTEST" }
  }
}

variables {
  prefix             = "tidemark-test"
  trusted_principals = ["arn:aws:iam::111122223333:role/airflow-machine"]
  lake               = { arn = "arn:aws:s3:::tidemark-test-lake" }
  artifacts          = { arn = "arn:aws:s3:::tidemark-test-artifacts" }
  logs               = { arn = "arn:aws:s3:::tidemark-test-logs" }
  kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d"
  emr = {
    service_role_arn          = "arn:aws:iam::111122223333:role/tidemark-test-emr-service"
    instance_profile_role_arn = "arn:aws:iam::111122223333:role/tidemark-test-emr-node"
    job_role_arns             = { shop = "arn:aws:iam::111122223333:role/tidemark-test-job-shop" }
    cluster_tag               = { key = "tidemark-clusters", value = "tidemark-test" }
    shared_cluster_arn        = "arn:aws:elasticmapreduce:eu-central-1:111122223333:cluster/j-SHARED"
  }
  warehouse = {
    kind           = "serverless"
    arn            = "arn:aws:redshift-serverless:eu-central-1:111122223333:workgroup/0a1b2c3d"
    database       = "warehouse"
    loader_db_role = "tidemark_loader"
  }
}

run "trusts_the_named_principals_without_session_tags" {
  assert {
    condition     = one(data.aws_iam_policy_document.trust.statement[0].principals).identifiers == var.trusted_principals
    error_message = "The role must trust Airflow's own role, nobody else."
  }

  assert {
    condition     = data.aws_iam_policy_document.trust.statement[0].actions == toset(["sts:AssumeRole"])
    error_message = "A session tag could name another database role."
  }
}

run "logs_in_to_the_warehouse_as_the_loader" {
  assert {
    condition     = aws_iam_role.airflow.tags["RedshiftDbRoles"] == "tidemark_loader"
    error_message = "Redshift gives the database role that this tag names."
  }
}

run "starts_clusters_only_with_the_tag_of_the_environment" {
  assert {
    condition = [
      for statement in data.aws_iam_policy_document.clusters.statement :
      [for condition in statement.condition : "${condition.test} ${condition.variable} ${one(condition.values)}"]
      if contains(statement.actions, "elasticmapreduce:RunJobFlow")
    ] == [["StringEquals elasticmapreduce:RequestTag/tidemark-clusters tidemark-test"]]
    error_message = "A cluster without the tag could not be found by budget and alarms."
  }
}

run "takes_no_cluster_of_another_environment_by_tagging_it" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.clusters.statement :
      toset([for condition in statement.condition : "${condition.test} ${condition.variable} ${one(condition.values)}"]) == toset([
        "StringEquals elasticmapreduce:RequestTag/tidemark-clusters tidemark-test",
        "StringEqualsIfExists elasticmapreduce:ResourceTag/tidemark-clusters tidemark-test",
      ]) if contains(statement.actions, "elasticmapreduce:AddTags")
    ])
    error_message = "A tagged cluster must keep its tag, or this role could end clusters of other environments."
  }
}

run "submits_steps_only_with_the_role_of_a_pipeline" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.clusters.statement :
      toset([for condition in statement.condition : "${condition.variable} ${one(condition.values)}"]) == toset([
        "elasticmapreduce:ResourceTag/tidemark-clusters tidemark-test",
        "elasticmapreduce:ExecutionRoleArn arn:aws:iam::111122223333:role/tidemark-test-job-shop",
      ])
      if contains(statement.actions, "elasticmapreduce:AddJobFlowSteps")
    ])
    error_message = "A step with another role, or none, must be refused."
  }
}

run "touches_only_clusters_of_the_environment" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.clusters.statement :
      contains([for condition in statement.condition : condition.variable], "elasticmapreduce:ResourceTag/tidemark-clusters")
      if anytrue([for resource in statement.resources : endswith(resource, "cluster/*")])
    ])
    error_message = "Every statement about any cluster must ask for the environment's tag."
  }
}

run "cannot_end_the_shared_cluster" {
  assert {
    condition = [
      for statement in data.aws_iam_policy_document.clusters.statement : tolist(statement.resources)
      if statement.effect == "Deny" && contains(statement.actions, "elasticmapreduce:TerminateJobFlows")
    ] == [tolist([var.emr.shared_cluster_arn])]
    error_message = "The shared cluster is not for one DAG to end."
  }
}

run "passes_two_roles_each_to_its_own_service" {
  assert {
    condition = {
      for statement in data.aws_iam_policy_document.clusters.statement : one(statement.resources) => one(one(statement.condition).values)
      if contains(statement.actions, "iam:PassRole")
      } == {
      (var.emr.service_role_arn)          = "elasticmapreduce.amazonaws.com"
      (var.emr.instance_profile_role_arn) = "ec2.amazonaws.com"
    }
    error_message = "The service role goes to EMR and the node role to EC2, no other role to anybody."
  }
}

run "cannot_delete_or_replace_in_the_ledger" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.storage.statement : !contains(statement.actions, "s3:DeleteObject")
    ])
    error_message = "Nothing in S3 is for this role to delete."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.storage.statement :
      [for condition in statement.condition : "${condition.test} ${condition.variable}"] == ["StringEquals s3:if-none-match"]
      if contains(statement.actions, "s3:PutObject") && contains(statement.resources, "arn:aws:s3:::tidemark-test-lake/ledger/*")
    ])
    error_message = "A put into the ledger must carry If-None-Match, or it could replace what is there."
  }
}

run "cannot_read_what_sources_deliver" {
  assert {
    condition = length([
      for resource in flatten([for statement in data.aws_iam_policy_document.storage.statement : tolist(statement.resources)]) : resource
      if strcontains(resource, "/raw/") || strcontains(resource, "/curated/") || strcontains(resource, "/landing/")
    ]) == 0
    error_message = "To list raw/ is enough; the data is for jobs."
  }
}

run "sees_its_own_statements_only" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.warehouse.statement :
      [for condition in statement.condition : "${condition.variable} ${one(condition.values)}"] == [
        "redshift-data:statement-owner-iam-userid AROATESTTESTTEST:*",
      ]
      if contains(statement.actions, "redshift-data:GetStatementResult")
    ])
    error_message = "Results of statements that others ran must stay with them."
  }
}

run "logs_in_to_the_workgroup_of_a_serverless_warehouse" {
  assert {
    condition = [
      for statement in data.aws_iam_policy_document.warehouse.statement : [one(statement.actions), one(statement.resources)]
      if statement.sid == "LogIn"
    ] == [["redshift-serverless:GetCredentials", var.warehouse.arn]]
    error_message = "Temporary credentials of the one workgroup were expected."
  }
}

run "logs_in_to_the_database_of_a_provisioned_warehouse" {
  variables {
    warehouse = {
      kind           = "provisioned"
      arn            = "arn:aws:redshift:eu-central-1:111122223333:cluster:tidemark-test"
      database       = "warehouse"
      loader_db_role = "tidemark_loader"
    }
  }

  assert {
    condition = [
      for statement in data.aws_iam_policy_document.warehouse.statement : [one(statement.actions), one(statement.resources)]
      if statement.sid == "LogIn"
      ] == [[
        "redshift:GetClusterCredentialsWithIAM",
        "arn:aws:redshift:eu-central-1:111122223333:dbname:tidemark-test/warehouse",
    ]]
    error_message = "Temporary credentials of the one database were expected."
  }
}

run "refuses_a_bad_prefix" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "Tidemark"
  }
}

run "refuses_to_trust_a_whole_account" {
  command         = plan
  expect_failures = [var.trusted_principals]

  variables {
    trusted_principals = ["arn:aws:iam::111122223333:root"]
  }
}

run "refuses_to_trust_nobody" {
  command         = plan
  expect_failures = [var.trusted_principals]

  variables {
    trusted_principals = []
  }
}

run "refuses_an_alias_as_the_key" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/tidemark-test"
  }
}

run "refuses_to_run_no_pipeline" {
  command         = plan
  expect_failures = [var.emr]

  variables {
    emr = {
      service_role_arn          = "arn:aws:iam::111122223333:role/tidemark-test-emr-service"
      instance_profile_role_arn = "arn:aws:iam::111122223333:role/tidemark-test-emr-node"
      job_role_arns             = {}
      cluster_tag               = { key = "tidemark-clusters", value = "tidemark-test" }
    }
  }
}

run "refuses_an_unknown_kind_of_warehouse" {
  command         = plan
  expect_failures = [var.warehouse]

  variables {
    warehouse = { kind = "spectrum", arn = "arn:aws:redshift:eu-central-1:111122223333:cluster:x", database = "x", loader_db_role = "x" }
  }
}
