mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_default_tags" {
    defaults = { tags = { project = "tidemark" } }
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
  mock_resource "aws_security_group" {
    defaults = { arn = "arn:aws:ec2:eu-central-1:111122223333:security-group/sg-0a1b2c" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::111122223333:instance-profile/tidemark-test-emr-node" }
  }
}

override_resource {
  target = aws_iam_role.service
  values = { arn = "arn:aws:iam::111122223333:role/tidemark-test-emr-service" }
}

override_resource {
  target = aws_iam_role.node
  values = { arn = "arn:aws:iam::111122223333:role/tidemark-test-emr-node" }
}

override_resource {
  target = aws_iam_role.job
  values = { arn = "arn:aws:iam::111122223333:role/tidemark-test-job-any" }
}

variables {
  prefix = "tidemark-test"
  network = {
    vpc_id                     = "vpc-0a1b2c"
    private_subnet_ids         = ["subnet-0a1b2c", "subnet-0d4e5f"]
    s3_prefix_list_id          = "pl-0a1b2c"
    endpoint_security_group_id = "sg-0d4e5f"
  }
  lake        = { name = "tidemark-test-lake", arn = "arn:aws:s3:::tidemark-test-lake" }
  artifacts   = { name = "tidemark-test-artifacts", arn = "arn:aws:s3:::tidemark-test-artifacts" }
  logs        = { name = "tidemark-test-logs", arn = "arn:aws:s3:::tidemark-test-logs" }
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d"
  pipelines = {
    shop = {
      secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:tidemark-test/connection/shop-Ab12Cd"
      database   = "tidemark_test_shop"
    }
    social = {}
  }
}

run "encrypts_everything_at_rest_with_the_given_key" {
  assert {
    condition = jsondecode(aws_emr_security_configuration.this.configuration).EncryptionConfiguration == {
      EnableAtRestEncryption    = true
      EnableInTransitEncryption = false
      AtRestEncryptionConfiguration = {
        S3EncryptionConfiguration = { EncryptionMode = "SSE-KMS", AwsKmsKey = var.kms_key_arn }
        LocalDiskEncryptionConfiguration = {
          EncryptionKeyProviderType = "AwsKms"
          AwsKmsKey                 = var.kms_key_arn
          EnableEbsEncryption       = true
        }
      }
    }
    error_message = "S3, EBS and local disks must be encrypted with the project's key."
  }
}

run "asks_for_imdsv2_and_runs_steps_with_the_role_of_their_pipeline" {
  assert {
    condition = jsondecode(aws_emr_security_configuration.this.configuration).InstanceMetadataServiceConfiguration == {
      MinimumInstanceMetadataServiceVersion = 2
      HttpPutResponseHopLimit               = 1
    }
    error_message = "Nodes must refuse version 1 of the instance metadata service."
  }

  assert {
    condition = jsondecode(aws_emr_security_configuration.this.configuration).AuthorizationConfiguration == {
      IAMConfiguration = { EnableApplicationScopedIAMRole = true }
    }
    error_message = "Without application-scoped roles every step has the rights of the node."
  }
}

run "gives_a_job_its_own_part_of_the_lake_only" {
  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.job["social"].statement : statement.resources
      if length([for action in statement.actions : action if startswith(action, "s3:")]) > 0
      ])) == toset([
      "arn:aws:s3:::tidemark-test-lake",
      "arn:aws:s3:::tidemark-test-lake/raw/social/*",
      "arn:aws:s3:::tidemark-test-lake/landing/social/*",
      "arn:aws:s3:::tidemark-test-lake/curated/social/*",
      "arn:aws:s3:::tidemark-test-lake/quarantine/social/*",
      "arn:aws:s3:::tidemark-test-lake/export/social/*",
      "arn:aws:s3:::tidemark-test-lake/ledger/social/*",
      "arn:aws:s3:::tidemark-test-lake/ledger/social/*/looked.json",
      "arn:aws:s3:::tidemark-test-artifacts/jobs/*",
    ])
    error_message = "A job may reach its own prefixes of the lake and the artifacts, nothing else in S3."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.job["social"].statement : alltrue([
        for condition in statement.condition :
        condition.variable == "s3:prefix" && alltrue([for value in condition.values : endswith(value, "/social/*")])
      ]) && length(statement.condition) == 1 if contains(statement.actions, "s3:ListBucket")
    ])
    error_message = "A job may list its own prefixes only."
  }
}

run "lets_no_job_write_to_raw" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.job["shop"].statement :
      length(setsubtract(statement.actions, ["s3:GetObject", "s3:GetObjectVersion"])) == 0
      if length([for resource in statement.resources : resource if strcontains(resource, "/raw/")]) > 0
    ])
    error_message = "What sources deliver is read, never written."
  }
}

run "lets_no_job_delete_or_replace_in_the_ledger" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.job["shop"].statement :
      length(setsubtract(statement.actions, ["s3:GetObject", "s3:PutObject"])) == 0
      if length([for resource in statement.resources : resource if strcontains(resource, "/ledger/")]) > 0
    ])
    error_message = "A job may not delete from the ledger."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.job["shop"].statement :
      [for condition in statement.condition : "${condition.test} ${condition.variable}"] == ["StringEquals s3:if-none-match"]
      if contains(statement.actions, "s3:PutObject") && contains(statement.resources, "arn:aws:s3:::tidemark-test-lake/ledger/shop/*")
    ])
    error_message = "A put into the ledger must carry If-None-Match, or it could replace what is there."
  }
}

run "lets_a_job_read_its_own_secret_and_no_other" {
  assert {
    condition = flatten([
      for statement in data.aws_iam_policy_document.job["shop"].statement : tolist(statement.resources)
      if contains(statement.actions, "secretsmanager:GetSecretValue")
    ]) == [var.pipelines.shop.secret_arn]
    error_message = "The job must be able to read the secret of its own source."
  }

  assert {
    condition = length([
      for statement in data.aws_iam_policy_document.job["social"].statement : statement
      if contains(statement.actions, "secretsmanager:GetSecretValue")
    ]) == 0
    error_message = "A job without a source database has no secret to read."
  }
}

run "lets_a_job_register_tables_in_its_own_database_only" {
  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.job["shop"].statement : statement.resources
      if contains(statement.actions, "glue:CreateTable")
      ])) == toset([
      "arn:aws:glue:eu-central-1:111122223333:catalog",
      "arn:aws:glue:eu-central-1:111122223333:database/tidemark_test_shop",
      "arn:aws:glue:eu-central-1:111122223333:table/tidemark_test_shop/*",
    ])
    error_message = "The catalog, the pipeline's database and its tables were expected."
  }
}

run "lets_only_the_nodes_take_on_a_job_role" {
  assert {
    condition = [
      for principal in data.aws_iam_policy_document.job_trust.statement[0].principals : [principal.type, tolist(principal.identifiers)]
    ] == [["AWS", tolist([aws_iam_role.node.arn])]]
    error_message = "The role of a job trusts the role of the nodes, nobody else."
  }
}

run "gives_nodes_no_part_of_the_lake" {
  assert {
    condition = length([
      for resource in flatten([for statement in data.aws_iam_policy_document.node.statement : tolist(statement.resources)]) : resource
      if strcontains(resource, var.lake.name)
    ]) == 0
    error_message = "Nodes reach the lake through the roles of jobs only."
  }
}

run "lets_emr_act_for_this_account_only" {
  assert {
    condition = toset([
      for condition in data.aws_iam_policy_document.service_trust.statement[0].condition : condition.variable
    ]) == toset(["aws:SourceAccount", "aws:SourceArn"])
    error_message = "Without these conditions EMR could be made to use the role for somebody else."
  }
}

run "lets_emr_pass_on_the_node_role_to_ec2_only" {
  assert {
    condition = [
      for statement in data.aws_iam_policy_document.service.statement : {
        roles = tolist(statement.resources)
        to    = flatten([for condition in statement.condition : tolist(condition.values) if condition.variable == "iam:PassedToService"])
      } if contains(statement.actions, "iam:PassRole")
    ] == [{ roles = tolist([aws_iam_role.node.arn]), to = ["ec2.amazonaws.com"] }]
    error_message = "EMR may give the node role to EC2, and no other role to anybody."
  }
}

run "lets_emr_end_only_nodes_of_this_environment" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.service.statement :
      toset([for condition in statement.condition : condition.variable]) == toset([
        "aws:ResourceTag/for-use-with-amazon-emr-managed-policies",
        "ec2:InstanceProfile",
      ])
      if contains(statement.actions, "ec2:TerminateInstances")
    ])
    error_message = "A node must carry EMR's tag and the node profile of this environment before EMR may end it."
  }
}

run "binds_every_wildcard_of_emr_that_changes_something" {
  assert {
    condition = [
      for statement in data.aws_iam_policy_document.service.statement : statement.sid
      if length([for resource in statement.resources : resource if endswith(resource, "*")]) > 0 && length(statement.condition) == 0
    ] == ["StartNodesFromImages", "LookAround"]
    error_message = "A statement with a wildcard and no condition was added; bind it, or review it in README.md and here."
  }
}

run "lets_nothing_in_but_nodes" {
  assert {
    condition = alltrue([
      for rule in concat(values(aws_vpc_security_group_ingress_rule.nodes), values(aws_vpc_security_group_ingress_rule.service)) :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.prefix_list_id == null && rule.referenced_security_group_id != null
    ])
    error_message = "Nodes may be reached from nodes only."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.nodes) == 12
    error_message = "TCP, UDP and ICMP between each two kinds of node were expected."
  }
}

run "lets_nodes_out_to_sources_that_are_named_only" {
  variables {
    source_networks = { shop = { cidr = "10.20.0.0/24" } }
  }

  assert {
    condition = { for key, rule in aws_vpc_security_group_egress_rule.sources : key => "${rule.cidr_ipv4}:${rule.from_port}" } == {
      primary-shop = "10.20.0.0/24:5432"
      core-shop    = "10.20.0.0/24:5432"
    }
    error_message = "Both kinds of node must reach the named source, at its port."
  }

  assert {
    condition = alltrue([
      for rule in concat(
        values(aws_vpc_security_group_egress_rule.nodes),
        values(aws_vpc_security_group_egress_rule.service),
        values(aws_vpc_security_group_egress_rule.endpoints),
        values(aws_vpc_security_group_egress_rule.s3),
        values(aws_vpc_security_group_egress_rule.s3_packages),
      ) : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "Nodes reach other addresses only by security group or prefix list."
  }
}

run "switches_delta_on_and_hands_on_the_tags_that_roles_are_bound_to" {
  assert {
    condition     = contains(output.launch.configurations, { classification = "delta-defaults", properties = { "delta.enabled" = "true" } })
    error_message = "Delta is off in EMR unless its classification says otherwise."
  }

  assert {
    condition = output.launch.tags == tomap({
      "project"                                  = "tidemark"
      "tidemark-clusters"                        = "tidemark-test"
      "for-use-with-amazon-emr-managed-policies" = "true"
    })
    error_message = "A transient cluster needs the tags of the provider and those that the roles look for."
  }
}

run "makes_no_shared_cluster_unless_asked" {
  assert {
    condition     = length(aws_emr_cluster.shared) == 0 && output.shared_cluster_id == null && output.shared_cluster_arn == null
    error_message = "A cluster costs money: none was asked for."
  }
}

run "makes_a_shared_cluster_that_ends_itself_and_grows_on_spot" {
  variables {
    instances      = { core_count = 2 }
    shared_cluster = { idle_minutes = 30, max_instances = 6 }
  }

  assert {
    condition     = aws_emr_cluster.shared[0].auto_termination_policy[0].idle_timeout == 1800
    error_message = "The idle cluster must end after 30 minutes."
  }

  assert {
    condition     = aws_emr_cluster.shared[0].security_configuration == aws_emr_security_configuration.this.name
    error_message = "The shared cluster must run with the security configuration."
  }

  assert {
    condition = alltrue([
      for limits in aws_emr_managed_scaling_policy.shared[0].compute_limits :
      limits.minimum_capacity_units == 2 && limits.maximum_capacity_units == 6 && limits.maximum_ondemand_capacity_units == 2
    ])
    error_message = "Between 2 and 6 nodes were expected, with all beyond the core nodes on Spot."
  }

  assert {
    condition     = aws_emr_instance_group.task[0].bid_price == "0.25"
    error_message = "Without a price the task nodes would be on demand."
  }
}

run "refuses_a_bad_prefix" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "Tidemark"
  }
}

run "refuses_a_network_without_subnets" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = { vpc_id = "vpc-0a1b2c", private_subnet_ids = [], s3_prefix_list_id = "pl-0a1b2c", endpoint_security_group_id = "sg-0d4e5f" }
  }
}

run "refuses_the_whole_internet_as_a_source" {
  command         = plan
  expect_failures = [var.source_networks]

  variables {
    source_networks = { shop = { cidr = "0.0.0.0/0" } }
  }
}

run "refuses_an_alias_as_the_key" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/tidemark-test"
  }
}

run "refuses_a_release_that_is_not_exact" {
  command         = plan
  expect_failures = [var.release_label]

  variables {
    release_label = "emr-spark-8"
  }
}

run "refuses_a_release_that_is_managed_over_other_ports" {
  command         = plan
  expect_failures = [var.release_label]

  variables {
    release_label = "emr-7.12.0"
  }
}

run "refuses_a_pipeline_whose_role_name_would_be_too_long" {
  command         = plan
  expect_failures = [var.pipelines]

  variables {
    pipelines = { a_pipeline_with_a_longer_name_than_a_role_can_carry = {} }
  }
}

run "refuses_a_cluster_without_core_nodes" {
  command         = plan
  expect_failures = [var.instances]

  variables {
    instances = { core_count = 0 }
  }
}

run "refuses_half_a_task_node" {
  command         = plan
  expect_failures = [var.instances]

  variables {
    instances = { task_spot_count = 0.5 }
  }
}

run "refuses_a_shared_cluster_smaller_than_its_core" {
  command         = plan
  expect_failures = [var.shared_cluster]

  variables {
    instances      = { core_count = 3 }
    shared_cluster = { max_instances = 2 }
  }
}

run "refuses_more_steps_at_once_than_emr_takes" {
  command         = plan
  expect_failures = [var.shared_cluster]

  variables {
    shared_cluster = { concurrent_steps = 257 }
  }
}

run "refuses_a_shared_cluster_that_never_ends" {
  command         = plan
  expect_failures = [var.shared_cluster]

  variables {
    shared_cluster = { idle_minutes = 0 }
  }
}
